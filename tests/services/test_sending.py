"""The sender's books: one nonce a transaction, one transaction an intent, every attempt kept."""

import pytest
from otc_sdk import calls
from otc_sdk.roles import Role
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from coordinator.db.intents import Attempt
from coordinator.db.session import transaction
from coordinator.domain.fees import DayFees
from coordinator.services import sending
from coordinator.services.sending import Taken
from tests.sender_books import Books, receipt

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


# The call of a batch


def test_joined_settlements_are_the_contracts_batch(books: Books) -> None:
    terms, signatures = books.world.terms(books.order_id), {Role.SELLER: b"\x05" * 65}
    items = [(terms, units, 7 + units, signatures) for units in range(3)]
    joined = calls.join_settles([calls.settle(*item) for item in items])
    assert joined == calls.settle_batch(items)
    with pytest.raises(ValueError, match="only calls of settle"):
        calls.join_settles([calls.sweep(terms, terms.token)])
