"""Who sends what: every intent is one key's at a time, and nothing holds up what can go."""

import pytest
from sqlmodel import Session

from coordinator.db.intents import Attempt
from coordinator.db.session import transaction
from coordinator.services import claims
from coordinator.services.sending import Taken
from tests.sender_books import CHAIN, OTHER, SENDER, Books, receipt


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
    books.enqueue("a")
    books.enqueue("b", books.world.place(books.ad_id))
    with Session(books.world.engine) as one, Session(books.world.engine) as two:
        first = claims.claim(one, CHAIN, SENDER, books.world.now, 1, disputes=False)
        second = claims.claim(two, CHAIN, OTHER, books.world.now, 2, disputes=False)
        assert [intent.key for intent in first] == ["a"]
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


def test_disputes_take_no_settlements_place(books: Books) -> None:
    for key in ("dispute:1", "dispute:2", "settle:1"):
        books.enqueue(key, books.world.place(books.ad_id))
    assert books.claim_kind(disputes=True, limit=1) == ["dispute:1"]
    assert books.claim_kind(disputes=False, limit=1) == ["settle:1"]


def test_one_that_is_refused_for_now_holds_up_no_other(books: Books) -> None:
    books.enqueue("dispute:a")
    books.enqueue("dispute:b", books.world.place(books.ad_id))
    with transaction(books.world.engine) as session:
        claims.postpone(session, books.intent().id or 0, "Short()", books.world.now + 1)
    assert books.claim() == ["dispute:b"]
    books.world.chain.mine()
    assert books.claim() == ["dispute:b", "dispute:a"], "never tried goes first"
