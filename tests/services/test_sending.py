"""The sender's books: one nonce a transaction, one transaction an intent, every attempt kept."""

from dataclasses import replace

import pytest
from otc_sdk import calls
from otc_sdk.roles import Role
from prometheus_client import REGISTRY
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from coordinator.db.intents import Attempt, Intent, Slot
from coordinator.db.session import transaction
from coordinator.domain.fees import DAY_SECONDS, DayFees
from coordinator.services import claims, intents, sender_keys, sending
from coordinator.services.ports import Call, FeeTooHigh, Receipt, SignedTransaction
from coordinator.services.sending import Taken
from tests.world import STRANGER, World

CHAIN = 31337
SENDER, OTHER = STRANGER.address, "0x" + "22" * 20


def signed(name: str, fee: int = 100) -> SignedTransaction:
    return SignedTransaction("0x" + name, "0xraw" + name, {"maxFeePerGas": fee}, fee)


def receipt(name: str, block: int, succeeded: bool = True, *settled: str) -> Receipt:
    return Receipt("0x" + name, block, f"0xblock{block}", succeeded, 21_000, 60, frozenset(settled))


class Books:
    """The sender's use cases, each in a transaction of its own."""

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

    def claim(self, key: str = SENDER, limit: int = 10, disputes_only: bool = False) -> list[str]:
        """Keys of the intents."""
        with transaction(self.world.engine) as session:
            now = self.world.now
            found = claims.claim(session, CHAIN, key, now, limit, disputes_only)
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


# Claims


def test_an_intent_is_intended_once(books: Books) -> None:
    books.enqueue("dispute:a")
    assert not books.enqueue("dispute:a")
    assert books.enqueue("b")
    assert books.claim() == ["dispute:a", "b"]


def test_two_keys_never_work_on_the_same_intent(books: Books) -> None:
    books.enqueue("a")
    assert books.claim() == ["a"]
    assert books.claim(OTHER) == []
    assert books.claim() == ["a"], "a key that was restarted takes its own up at once"


def test_two_keys_that_claim_together_share(books: Books) -> None:
    books.enqueue("dispute:a")
    books.enqueue("b")
    with Session(books.world.engine) as one, Session(books.world.engine) as two:
        first = claims.claim(one, CHAIN, SENDER, books.world.now, 1)
        second = claims.claim(two, CHAIN, OTHER, books.world.now, 2)
        assert [intent.key for intent in first] == ["dispute:a"]
        assert [intent.key for intent in second] == ["b"], "without waiting for the first"


def test_the_work_of_a_dead_key_is_done_by_another(books: Books) -> None:
    books.enqueue("a")
    books.claim()
    books.world.chain.mine(at=books.world.now + claims.CLAIM_SECONDS)
    assert books.claim(OTHER) == ["a"]
    with pytest.raises(Taken):
        books.take(5, "01", books.intent())
    assert (books.unfinished(), books.world.all(Attempt)) == ([], []), "nothing half done"


def test_what_was_released_is_anybodys(books: Books) -> None:
    books.enqueue("a")
    books.claim()
    with transaction(books.world.engine) as session:
        claims.release(session, SENDER, [books.intent()])
    assert books.claim(OTHER) == ["a"]


def test_one_settlement_of_an_order_at_a_time(books: Books) -> None:
    """The second would only pay for AlreadySettled; a dispute does not wait."""
    for key in ("default:1", "settle:2"):
        books.enqueue(key)
    assert books.claim() == ["default:1"]
    slot_id = books.take(5, "01", books.intent())
    books.enqueue("dispute:1")
    assert books.claim() == ["dispute:1"]
    books.mined(slot_id, receipt("01", 8, False), final=True)
    assert "settle:2" in books.claim()


def test_disputes_go_first(books: Books) -> None:
    for key in ("settle:1", "dispute:1"):
        books.enqueue(key)
    assert books.claim() == ["dispute:1", "settle:1"]
    assert books.claim(disputes_only=True) == ["dispute:1"]


def test_one_that_is_refused_for_now_holds_up_no_other(books: Books) -> None:
    books.enqueue("dispute:a")
    books.enqueue("dispute:b", books.world.place(books.ad_id))
    with transaction(books.world.engine) as session:
        claims.postpone(session, books.intent().id or 0, "Short()", books.world.now + 1)
    assert books.claim() == ["dispute:b"]
    books.world.chain.mine()
    assert books.claim() == ["dispute:b", "dispute:a"], "never tried goes first"


# Nonces and attempts


def test_nonces_go_on_from_whoever_is_further(books: Books) -> None:
    assert books.nonce(5) == 5
    books.one_sent()
    assert books.nonce(5) == 6, "the books are ahead of the chain"
    assert books.nonce(9) == 9, "the key was used elsewhere"


def test_two_transactions_never_share_a_nonce(books: Books) -> None:
    books.one_sent()
    books.enqueue("b")
    with pytest.raises(IntegrityError):
        books.take(5, "02", books.intent(1))
    assert books.statuses() == ["sent", "pending"]


def test_an_intent_is_never_in_two_transactions(books: Books) -> None:
    books.one_sent()
    books.enqueue("b", books.world.place(books.ad_id))
    with pytest.raises(Taken):
        books.take(6, "02", books.intent(0), books.intent(1))
    assert [attempt.tx_hash for attempt in books.world.all(Attempt)] == ["0x01"]
    assert books.statuses() == ["sent", "pending"], "nor does the batch take the others"


def test_the_signed_bytes_are_kept_before_they_are_sent(books: Books) -> None:
    books.one_sent()
    [attempt] = books.world.all(Attempt)
    assert (attempt.raw, attempt.broadcast_at) == ("0xraw01", None)
    with transaction(books.world.engine) as session:
        sending.broadcasted(session, "0x01", books.world.now)
    [attempt] = books.world.all(Attempt)
    assert attempt.broadcast_at == books.world.now


def test_a_replacement_keeps_intent_and_nonce(books: Books) -> None:
    slot_id = books.one_sent()
    books.add_attempt(slot_id, "02", 113)
    with Session(books.world.engine) as session:
        newest = sending.attempts(session, slot_id)
    assert [attempt.tx_hash for attempt in newest] == ["0x02", "0x01"]
    assert [slot.nonce for slot in books.unfinished()] == [5]


def test_in_flight_in_nonce_order(books: Books) -> None:
    for key, nonce in (("a", 7), ("b", 6)):
        books.enqueue(key)
        books.take(nonce, key, books.intent(-1))
    assert [slot.nonce for slot in books.unfinished()] == [6, 7]
    assert books.claim() == []


def test_a_lost_nonce_frees_its_intent_and_stays_used(books: Books) -> None:
    slot_id = books.one_sent()
    books.nonce_lost(slot_id)
    assert (books.slot(slot_id).status, books.unfinished()) == ("lost", [])
    assert [attempt.tx_hash for attempt in books.world.all(Attempt)] == ["0x01"]
    assert (books.claim(), books.nonce(5)) == (["a"], 6)
    assert books.world.events(books.order_id)[-1] == "nonce_lost"
    assert not books.enqueue("a"), "it is still intended"


# Receipts


def test_mined_is_not_final(books: Books) -> None:
    slot_id = books.one_sent()
    books.mined(slot_id, receipt("01", 8), final=False)
    assert ([slot.status for slot in books.unfinished()], books.statuses()) == (
        ["mined"],
        ["mined"],
    )
    books.mined(slot_id, receipt("01", 8), final=True)
    assert (books.unfinished(), books.statuses()) == ([], ["final"])
    assert books.world.events(books.order_id).count("transaction_mined") == 1


def test_a_reorged_receipt_is_in_flight_again(books: Books) -> None:
    slot_id = books.one_sent()
    books.mined(slot_id, receipt("01", 8), final=False)
    books.vanished(slot_id)
    assert (books.statuses(), books.slot(slot_id).status) == (["sent"], "sent")
    assert books.day() == DayFees(spent_wei=0, in_flight_wei=100)
    books.mined(slot_id, receipt("01", 9), final=True)
    assert (books.slot(slot_id).block_number, books.statuses()) == (9, ["final"])


def test_a_revert_that_is_reorged_away_ends_nothing(books: Books) -> None:
    slot_id = books.one_sent("dispute:1")
    books.mined(slot_id, receipt("01", 8, False), final=False)
    books.vanished(slot_id)
    books.mined(slot_id, receipt("01", 9), final=True)
    assert (books.intent().status, books.intent().reason) == ("final", None)


def test_the_attempt_that_was_mined_is_the_one_in_the_books(books: Books) -> None:
    slot_id = books.one_sent()
    books.add_attempt(slot_id, "02", 113)
    books.mined(slot_id, receipt("01", 8), final=True)
    assert books.slot(slot_id).tx_hash == "0x01"


def test_a_reverted_transaction_is_an_end_and_says_so(books: Books) -> None:
    slot_id = books.one_sent("dispute:1")
    books.mined(slot_id, receipt("01", 8, False), final=True)
    assert (books.intent().status, books.intent().reason) == ("final", "reverted")
    assert books.world.events(books.order_id)[-1] == "transaction_reverted"


def test_one_failing_item_of_a_batch_goes_alone(books: Books) -> None:
    slot_id, first, second = books.batch_sent()
    books.mined(slot_id, receipt("01", 8, True, second), final=False)
    assert books.statuses() == ["mined", "mined"], "a reorg may decide otherwise"
    books.mined(slot_id, receipt("01", 8, True, second), final=True)
    assert books.statuses() == ["pending", "final"]
    assert (books.intent(0).alone, books.intent(1).alone) == (True, False)
    assert books.world.events(first)[-1] == "transaction_reverted"
    assert books.world.events(second)[-1] == "transaction_mined"
    assert not books.enqueue("settle:1"), "it is still intended"
    assert books.claim() == ["settle:1"]


def test_a_batch_that_reverts_is_sent_one_by_one(books: Books) -> None:
    slot_id, *_ = books.batch_sent()
    books.mined(slot_id, receipt("01", 8, False), final=True)
    assert books.statuses() == ["pending", "pending"]
    assert [intent.alone for intent in books.world.intents()] == [True, True]


def test_a_batch_keeps_what_it_saved(books: Books) -> None:
    slot_id, first, second = books.batch_sent()
    books.mined(slot_id, receipt("01", 8, True, first, second), final=True)
    slot = books.slot(slot_id)
    assert (slot.gas_estimate, slot.singles_gas, slot.gas_used) == (90, 100, 21_000)


def counted() -> float:
    return REGISTRY.get_sample_value("otc_batch_gas_saved_total") or 0


@pytest.mark.parametrize(
    ("settled", "gas_used", "saved"),
    [((0, 1), 60, 40), ((1,), 30, 20), ((), 30, -30), ((0, 1), 101, -1)],
    ids=["all", "one failed", "all failed", "dearer than alone"],
)
def test_what_a_final_batch_saved_is_counted_once(
    books: Books, settled: tuple[int, ...], gas_used: int, saved: int
) -> None:
    """Found: it was told in a line of the log only."""
    slot_id, *orders = books.batch_sent()
    found = replace(receipt("01", 8, True, *(orders[i] for i in settled)), gas_used=gas_used)
    before = counted()
    books.mined(slot_id, found, final=False)
    assert (counted() - before, books.saved_of_day()) == (0, 0)
    books.mined(slot_id, found, final=True)
    assert (counted() - before, books.saved_of_day()) == (max(0, saved), saved)


def test_what_was_saved_a_day_ago_and_what_went_alone_are_not_of_today(books: Books) -> None:
    alone = books.one_sent()
    books.mined(alone, replace(receipt("01", 8), gas_used=1), final=True)
    assert books.saved_of_day() == 0
    other = books.world.place(books.ad_id)
    books.enqueue("b", other)
    books.enqueue("c")
    batch = books.take(6, "02", books.intent(1), books.intent(2))
    found = replace(receipt("02", 8, True, books.order_id, other), gas_used=60)
    books.mined(batch, found, final=True)
    books.world.chain.mine(at=books.world.now + DAY_SECONDS - 1)
    assert books.saved_of_day() == 40
    books.world.chain.mine(at=books.world.now + 1)
    assert books.saved_of_day() == 0


def test_what_the_chain_refuses_is_obsolete_until_it_is_wanted_again(books: Books) -> None:
    books.enqueue("a")
    with transaction(books.world.engine) as session:
        sending.obsolete(session, books.intent().id or 0, "AlreadySettled()", books.world.now)
    assert (books.claim(), books.intent().reason) == ([], "AlreadySettled()")
    assert books.world.log(books.order_id)[-1].reason == "AlreadySettled()"
    assert books.enqueue("a")
    assert books.claim() == ["a#2"]


def test_what_is_in_flight_is_not_enqueued_again_nor_dropped(books: Books) -> None:
    books.one_sent()
    assert not books.enqueue("a")
    with transaction(books.world.engine) as session:
        sending.obsolete(session, books.intent().id or 0, "AlreadySettled()", books.world.now)
    assert (books.claim(), books.statuses()) == ([], ["sent"])


# Fees of a day


def test_the_day_counts_what_was_paid_and_the_dearest_attempt_in_flight(books: Books) -> None:
    slot_id = books.one_sent()
    books.add_attempt(slot_id, "02", 113)
    assert books.day() == DayFees(spent_wei=0, in_flight_wei=113)
    books.require_budget(7, ceiling_wei=120)
    with pytest.raises(FeeTooHigh, match="ceiling of a day, 120"):
        books.require_budget(8, ceiling_wei=120)
    books.mined(slot_id, receipt("01", 8), final=False)
    assert books.day() == DayFees(spent_wei=60, in_flight_wei=0)
    books.world.chain.mine(at=books.world.now + DAY_SECONDS)
    assert books.day() == DayFees(spent_wei=0, in_flight_wei=0)


def test_a_key_keeps_since_when_it_is_as_it_is(books: Books) -> None:
    since = books.world.now
    for balance, condition, changed in ((9, "ok", True), (8, "ok", False), (1, "low", True)):
        with transaction(books.world.engine) as session:
            now = books.world.now
            assert changed == sender_keys.report(session, CHAIN, SENDER, balance, condition, now)
            [key] = sender_keys.read(session, CHAIN)
            assert (key.balance_wei, key.condition, key.seen_at) == (balance, condition, now)
            assert key.condition_since == (now if condition == "low" else since)
        books.world.chain.mine()


# The call of a batch


def test_joined_settlements_are_the_contracts_batch(books: Books) -> None:
    terms, signatures = books.world.terms(books.order_id), {Role.SELLER: b"\x05" * 65}
    items = [(terms, units, 7 + units, signatures) for units in range(3)]
    joined = calls.join_settles([calls.settle(*item) for item in items])
    assert joined == calls.settle_batch(items)
    with pytest.raises(ValueError, match="only calls of settle"):
        calls.join_settles([calls.sweep(terms, terms.token)])
