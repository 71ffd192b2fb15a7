"""What the keys that pay the gas spend and save in a day, and how they are."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from coordinator.db.session import transaction
from coordinator.domain.fees import DAY_SECONDS, DayFees
from coordinator.services import sender_keys
from coordinator.services.ports import FeeTooHigh
from tests.sender_books import CHAIN, SENDER, Books, receipt


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
