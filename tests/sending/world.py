"""A world whose sender is looked at closely, and may have keys beside its own.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from eth_account.signers.local import LocalAccount
from otc_sdk import calls
from otc_sdk.roles import Role
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from coordinator.adapters.chain.sender import Account
from coordinator.db.intents import Attempt, Intent, SenderKey, Slot
from coordinator.db.session import transaction
from coordinator.services import sender_keys
from coordinator.workers.sender import Sender
from tests.chain import Anvil
from tests.findings.world import FINAL_AFTER_BLOCKS, MAX_FEE_WEI, LiveWorld
from tests.world import AMOUNT, BUYER, SELLER, TOTAL

ORDERS_PER_AD = TOTAL // AMOUNT


class SendingWorld(LiveWorld):
    def __init__(self, engine: Engine, anvil: Anvil) -> None:
        super().__init__(engine, anvil)
        self.others: list[Sender] = []

    def close(self) -> None:
        for sender in (self.sender, *self.others):
            sender.lock.release()
        self.watcher.lock.release()

    # Keys and processes

    def another_key(self) -> Sender:
        """A second key that works beside the first."""
        key = self.anvil.funded_account()
        self.others.append(self.sender_of(key))
        return self.others[-1]

    def sender_of(self, key: LocalAccount) -> Sender:
        url = self.anvil.url
        domain = self.platform.domain
        return Sender(
            self.engine, domain.chain_id, Account(url, domain.chain_id, key, MAX_FEE_WEI),
            lambda: self.chain.final_head().number, lambda: self.now, domain.escrow,
        )  # fmt: skip

    def later(self, seconds: int) -> None:
        self.ahead_seconds += seconds

    # Work

    def agreed(self, count: int = 1) -> list[str]:
        """Orders whose traders have both signed a release: settlements that wait."""
        orders = self.funded_many(count)
        for order_id in orders:
            self.split(order_id, AMOUNT)
        return orders

    def funded_many(self, count: int) -> list[str]:
        """From as few ads as hold so many."""
        ads = [self.post_ad() for _ in range(0, count, ORDERS_PER_AD)]
        return [self.funded(ads[number // ORDERS_PER_AD]) for number in range(count)]

    def settle_directly(self, order_id: str, tip_wei: int = 10**11) -> None:
        """The traders settle without us, and pay enough to be the first in the block."""
        terms, until = self.terms(order_id), self.now + 3600
        signed = {
            role: self.settlement_signature(order_id, account, AMOUNT, until)
            for role, account in ((Role.SELLER, SELLER), (Role.BUYER, BUYER))
        }
        data = calls.settle(terms, AMOUNT, until, signed)
        self.push(BUYER, self.platform.domain.escrow, data, tip_wei)

    def push(self, account: LocalAccount, to: str, data: bytes, tip_wei: int) -> str:
        """Into the pool, without waiting for a block; returns the hash."""
        w3 = self.anvil.w3
        fields = {
            "to": to, "data": data, "value": 0, "gas": 500_000, "chainId": w3.eth.chain_id,
            "nonce": w3.eth.get_transaction_count(account.address, "pending"),
            "maxFeePerGas": tip_wei + 10**11, "maxPriorityFeePerGas": tip_wei,
        }  # fmt: skip
        raw = account.sign_transaction(fields).raw_transaction
        return w3.eth.send_raw_transaction(raw).to_0x_hex()

    def mine_final(self) -> None:
        """Blocks alone: the watcher does not look."""
        self.anvil.rpc("anvil_mine", hex(FINAL_AFTER_BLOCKS + 1))

    def forget(self, slot: Slot) -> None:
        """The books as a backup from before a transaction gives them back."""
        with transaction(self.engine) as session:
            query = select(Intent).where(Intent.slot_id == slot.id)
            for intent in session.exec(query).all():
                intent.status, intent.slot_id = "pending", None
            session.flush()
            tries = select(Attempt).where(Attempt.slot_id == slot.id)
            for attempt in session.exec(tries).all():
                session.delete(attempt)
            session.flush()
            session.delete(session.get_one(Slot, slot.id))

    # The books

    def slots(self) -> list[Slot]:
        """By when they were taken."""
        with Session(self.engine) as session:
            return list(session.exec(select(Slot).order_by(col(Slot.id))).all())

    def attempts(self) -> list[Attempt]:
        """Cheapest first."""
        with Session(self.engine) as session:
            return list(session.exec(select(Attempt).order_by(col(Attempt.max_fee_wei))).all())

    def statuses(self) -> list[str]:
        return [self.status(intent.order_id) for intent in self.intents()]

    def condition(self, address: str) -> str:
        with Session(self.engine) as session:
            keys: list[SenderKey] = sender_keys.read(session, self.platform.domain.chain_id)
            return next(key.condition for key in keys if key.address == address)
