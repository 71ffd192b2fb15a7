"""The sender's use cases, each in a transaction of its own, for the tests of its books."""

import pytest
from otc_sdk import calls

from coordinator.db.intents import Intent, Slot
from coordinator.db.session import transaction
from coordinator.domain.fees import DayFees
from coordinator.services import claims, intents, sender_keys, sending
from coordinator.services.ports import Call, Receipt, SignedTransaction
from tests.world import STRANGER, World

CHAIN = 31337
SENDER, OTHER = STRANGER.address, "0x" + "22" * 20


def signed(name: str, fee: int = 100) -> SignedTransaction:
    return SignedTransaction(
        "0x" + name, "0xraw" + name, {"maxFeePerGas": fee, "gas": 100_000}, fee
    )


def receipt(name: str, block: int, succeeded: bool = True, *settled: str) -> Receipt:
    return Receipt("0x" + name, block, f"0xblock{block}", succeeded, 21_000, 60, frozenset(settled))


class Books:
    def __init__(self, world: World) -> None:
        self.world = world
        self.ad_id = world.post_ad()
        self.order_id = world.place(self.ad_id)

    def enqueue(self, key: str, order_id: str | None = None) -> bool:
        with transaction(self.world.engine) as session:
            order = order_id or self.order_id
            return intents.enqueue(
                session, self.world.platform, key, order, b"\x01", self.world.now
            )

    def nonce(self, chain_count: int) -> int:
        with transaction(self.world.engine) as session:
            return sending.next_nonce(session, CHAIN, SENDER, chain_count)

    def take(self, nonce: int, name: str, *carried: Intent, by: str = SENDER) -> int:
        batch = len(carried) > 1
        call = Call(OTHER, "0x" + (calls.SETTLE_BATCH if batch else calls.SETTLE).hex())
        slot = sending.new_slot(CHAIN, by, nonce, call, (90, 100 if batch else 90), self.world.now)
        with transaction(self.world.engine) as session:
            return sending.take_slot(session, slot, carried, signed(name), self.world.now)

    def add_attempt(self, slot_id: int, name: str, fee: int) -> None:
        with transaction(self.world.engine) as session:
            sending.add_attempt(session, slot_id, signed(name, fee), self.world.now)

    def claim(self, key: str = SENDER) -> list[str]:
        """Keys of the intents: disputes, then settlements."""
        return self.claim_kind(True, key) + self.claim_kind(False, key)

    def claim_kind(self, disputes: bool, key: str = SENDER, limit: int = 10) -> list[str]:
        with transaction(self.world.engine) as session:
            found = claims.claim(session, CHAIN, key, self.world.now, limit, disputes)
            return [intent.key for intent in found]

    def unfinished(self) -> list[Slot]:
        with transaction(self.world.engine) as session:
            return sending.unfinished(session, CHAIN, SENDER)

    def mined(self, slot_id: int, found: Receipt, final: bool) -> None:
        with transaction(self.world.engine) as session:
            sending.mined(session, slot_id, found, final, self.world.now)

    def vanished(self, slot_id: int) -> None:
        with transaction(self.world.engine) as session:
            sending.vanished(session, slot_id)

    def nonce_lost(self, slot_id: int) -> None:
        with transaction(self.world.engine) as session:
            sending.nonce_lost(session, slot_id, self.world.now)

    def require_budget(self, more_wei: int, ceiling_wei: int) -> None:
        with transaction(self.world.engine) as session:
            sending.require_budget(session, CHAIN, more_wei, ceiling_wei, self.world.now)

    def day(self) -> DayFees:
        with transaction(self.world.engine) as session:
            return sender_keys.fees_of_day(session, CHAIN, self.world.now)

    def saved_of_day(self) -> int:
        with transaction(self.world.engine) as session:
            return sender_keys.gas_saved_of_day(session, CHAIN, self.world.now)

    def intent(self, number: int = 0) -> Intent:
        return self.world.intents()[number]

    def statuses(self) -> list[str]:
        return [intent.status for intent in self.world.intents()]

    def slot(self, slot_id: int) -> Slot:
        found: Slot = self.world.get(Slot, slot_id)
        return found

    def one_sent(self, key: str = "a") -> int:
        """The slot of an intent in flight."""
        self.enqueue(key)
        return self.take(5, "01", self.intent(-1))

    def batch_sent(self) -> tuple[int, str, str]:
        """The slot, and the two orders that it is to settle."""
        other = self.world.place(self.ad_id)
        self.enqueue("settle:1")
        self.enqueue("settle:2", other)
        return self.take(5, "01", self.intent(0), self.intent(1)), self.order_id, other


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)
