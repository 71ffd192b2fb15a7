"""The sender's books: one nonce an intent, one intent a nonce, every attempt kept."""

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from coordinator.db.intents import Attempt, Intent, Slot
from coordinator.db.session import transaction
from coordinator.services import intents, sending
from coordinator.services.ports import Receipt, SignedTransaction
from tests.world import STRANGER, World

CHAIN = 31337
SENDER = STRANGER.address


def signed(name: str, fee: int = 100) -> SignedTransaction:
    return SignedTransaction("0x" + name, "0xraw" + name, {"maxFeePerGas": fee}, fee)


def receipt(name: str, block: int, succeeded: bool = True) -> Receipt:
    return Receipt("0x" + name, block, f"0xblock{block}", succeeded, 21_000)


class Books:
    """The sender's use cases, each in a transaction of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.order_id = world.place(world.post_ad())

    def enqueue(self, key: str) -> bool:
        with transaction(self.world.engine) as session:
            return intents.enqueue(
                session, self.world.platform, key, self.order_id, b"\x01", self.world.now
            )

    def nonce(self, chain_count: int) -> int:
        with transaction(self.world.engine) as session:
            return sending.next_nonce(session, CHAIN, SENDER, chain_count)

    def take(self, intent: Intent, nonce: int, name: str) -> None:
        with transaction(self.world.engine) as session:
            sending.take_slot(session, intent.id or 0, SENDER, nonce, signed(name), self.world.now)

    def pending(self) -> list[Intent]:
        with transaction(self.world.engine) as session:
            return sending.pending(session, CHAIN, self.world.now, 10)

    def unfinished(self) -> list[tuple[Intent, Slot]]:
        with transaction(self.world.engine) as session:
            return sending.unfinished(session, CHAIN, SENDER)

    def mined(self, intent: Intent, found: Receipt, final: bool) -> None:
        with transaction(self.world.engine) as session:
            sending.mined(session, intent.id or 0, found, final, self.world.now)

    def intent(self, number: int = 0) -> Intent:
        return self.world.intents()[number]


@pytest.fixture
def books(world: World) -> Books:
    return Books(world)


def test_an_intent_is_intended_once(books: Books) -> None:
    assert (books.enqueue("a"), books.enqueue("a"), books.enqueue("b")) == (True, False, True)
    assert [intent.key for intent in books.pending()] == ["a", "b"]


def test_nonces_go_on_from_whoever_is_further(books: Books) -> None:
    assert books.nonce(5) == 5
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    assert books.nonce(5) == 6, "the books are ahead of the chain"
    assert books.nonce(9) == 9, "the key was used elsewhere"


def test_two_intents_never_share_a_nonce(books: Books) -> None:
    books.enqueue("a")
    books.enqueue("b")
    books.take(books.intent(0), 5, "01")
    with pytest.raises(IntegrityError):
        books.take(books.intent(1), 5, "02")
    assert [intent.key for intent in books.pending()] == ["b"]


def test_an_intent_never_takes_two_nonces(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    with pytest.raises(IntegrityError):
        books.take(books.intent(), 6, "02")
    assert [attempt.tx_hash for attempt in books.world.all(Attempt)] == ["0x01"]


def test_the_signed_bytes_are_kept_before_they_are_sent(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    [attempt] = books.world.all(Attempt)
    assert (attempt.raw, attempt.broadcast_at) == ("0xraw01", None)
    with transaction(books.world.engine) as session:
        sending.broadcasted(session, "0x01", books.world.now)
    [attempt] = books.world.all(Attempt)
    assert attempt.broadcast_at == books.world.now


def test_a_replacement_keeps_intent_and_nonce(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    with transaction(books.world.engine) as session:
        sending.add_attempt(session, books.intent().id or 0, signed("02", 113), 7)
    with Session(books.world.engine) as session:
        newest = sending.attempts(session, books.intent().id or 0)
    assert [attempt.tx_hash for attempt in newest] == ["0x02", "0x01"]
    [(_, slot)] = books.unfinished()
    assert slot.nonce == 5


def test_in_flight_in_nonce_order(books: Books) -> None:
    for key, nonce in (("a", 7), ("b", 6)):
        books.enqueue(key)
        books.take(books.intent(-1), nonce, key)
    assert [slot.nonce for _, slot in books.unfinished()] == [6, 7]
    assert books.pending() == []


def test_mined_is_not_final(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    books.mined(books.intent(), receipt("01", 8), final=False)
    assert [intent.status for intent, _ in books.unfinished()] == ["mined"]
    books.mined(books.intent(), receipt("01", 8), final=True)
    assert books.unfinished() == []
    assert books.intent().status == "final"
    assert books.world.events(books.order_id).count("transaction_mined") == 1


def test_a_reorged_receipt_is_in_flight_again(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    books.mined(books.intent(), receipt("01", 8), final=False)
    with transaction(books.world.engine) as session:
        sending.vanished(session, books.intent().id or 0)
    assert [intent.status for intent, _ in books.unfinished()] == ["sent"]
    books.mined(books.intent(), receipt("01", 9), final=True)
    slot = books.world.get(Slot, books.intent().id)
    assert (slot.block_number, books.intent().status) == (9, "final")


def test_the_attempt_that_was_mined_is_the_one_in_the_books(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    with transaction(books.world.engine) as session:
        sending.add_attempt(session, books.intent().id or 0, signed("02", 113), 7)
    books.mined(books.intent(), receipt("02", 8), final=True)
    assert books.world.get(Slot, books.intent().id).tx_hash == "0x02"


def test_a_reverted_transaction_is_an_end_and_says_so(books: Books) -> None:
    books.enqueue("dispute:1")
    books.take(books.intent(), 5, "01")
    books.mined(books.intent(), receipt("01", 8, succeeded=False), final=True)
    assert (books.intent().status, books.intent().reason) == ("final", "reverted")
    assert books.world.events(books.order_id)[-1] == "transaction_reverted"


def test_what_the_chain_refuses_is_obsolete_until_it_is_wanted_again(books: Books) -> None:
    books.enqueue("a")
    with transaction(books.world.engine) as session:
        sending.obsolete(session, books.intent().id or 0, "AlreadySettled()", books.world.now)
    assert (books.pending(), books.intent().reason) == ([], "AlreadySettled()")
    assert books.world.log(books.order_id)[-1].reason == "AlreadySettled()"
    assert books.enqueue("a")
    assert [intent.key for intent in books.pending()] == ["a#2"]


def test_one_that_is_refused_for_now_holds_up_no_other(books: Books) -> None:
    books.enqueue("a")
    books.enqueue("b")
    with transaction(books.world.engine) as session:
        sending.postpone(session, books.intent().id or 0, "Short()", books.world.now + 1)
    assert [intent.key for intent in books.pending()] == ["b"]
    books.world.chain.mine()
    assert [intent.key for intent in books.pending()] == ["b", "a"], "never tried goes first"


def test_disputes_go_first(books: Books) -> None:
    for key in ("settle:1", "dispute:1"):
        books.enqueue(key)
    assert [intent.key for intent in books.pending()] == ["dispute:1", "settle:1"]


def test_what_is_in_flight_is_not_enqueued_again(books: Books) -> None:
    books.enqueue("a")
    books.take(books.intent(), 5, "01")
    assert not books.enqueue("a")
    assert books.pending() == []
