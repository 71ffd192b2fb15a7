"""What transactions may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain import fees
from coordinator.domain.fees import DayFees, FeeHistory

GWEI = 10**9
WEI = st.integers(0, 10**15)
DYNAMIC = st.builds(
    lambda base, tip: {"maxFeePerGas": base + tip, "maxPriorityFeePerGas": tip}, WEI, WEI
)
LEGACY = st.builds(lambda price: {"gasPrice": price}, WEI)
ANY = st.one_of(DYNAMIC, LEGACY)


def test_the_base_fee_may_rise_for_six_full_blocks() -> None:
    base = 10 * GWEI
    most = fees.dynamic(FeeHistory(base, [GWEI]), 0)["maxFeePerGas"]
    for _ in range(fees.BASE_FEE_BLOCKS):
        base += base // 8
    assert base + GWEI <= most < base + GWEI + 100


@pytest.mark.parametrize(
    ("tips", "tip"),
    [
        ([1, 2, 3], 2),
        ([0, 0, 5], 5),
        ([1, 1, 10**18], 1),
        ([0, 0], 7),
        ([], 7),
    ],
)
def test_the_tip_is_the_median_of_those_that_were_paid(tips: list[int], tip: int) -> None:
    assert fees.dynamic(FeeHistory(GWEI, tips), 7)["maxPriorityFeePerGas"] == tip


@given(previous=ANY, today=ANY)
def test_a_replacement_raises_every_fee_by_an_eighth_and_more_than_nothing(
    previous: dict[str, int], today: dict[str, int]
) -> None:
    """Also where the chain has changed from one kind of fee to the other."""
    raised = fees.raised(previous, today)
    assert raised.keys() == today.keys()
    for name, value in raised.items():
        before = previous.get(name, fees.price(previous))
        assert value * 1000 >= before * 1125
        assert value > before
        assert value >= today[name]
    assert raised.get("maxPriorityFeePerGas", 0) <= fees.price(raised)


@pytest.mark.parametrize(
    ("pays", "age", "attempts", "first", "stuck"),
    [
        (10, 60, 1, True, True),
        (10, 59, 1, True, False),
        (10, 60, fees.MAX_ATTEMPTS, True, False),
        (10, 60, 1, False, False),
        (9, 60, 1, False, True),
    ],
)
def test_what_is_stuck(pays: int, age: int, attempts: int, first: bool, stuck: bool) -> None:
    """The next in turn, or what pays less than today's fees; those behind only wait for it."""
    assert fees.is_stuck({"gasPrice": pays}, {"gasPrice": 10}, age, attempts, first) == stuck


@pytest.mark.parametrize(("more", "over"), [(5, False), (6, True)])
def test_a_day_counts_what_is_in_flight(more: int, over: bool) -> None:
    assert DayFees(spent_wei=3, in_flight_wei=2).over(more, 10) == over


@pytest.mark.parametrize(
    ("usual_transactions", "condition"),
    [(0, "empty"), (1, "low"), (fees.LOW_TRANSACTIONS - 1, "low"), (fees.LOW_TRANSACTIONS, "ok")],
)
def test_a_key_is_low_before_it_is_empty(usual_transactions: int, condition: str) -> None:
    today = {"gasPrice": GWEI}
    balance = usual_transactions * fees.usual_wei(today) + 5
    assert fees.condition_of(balance, 5, today) == condition
    assert fees.condition_of(balance, balance + 1, today) == "empty"


def test_a_price_that_doubles_is_followed_for_ever() -> None:
    """Found: after ten attempts a dispute stayed at a price that no block took any more."""
    newest, many = {"gasPrice": 10}, 3 * fees.MAX_ATTEMPTS
    age = fees.REPLACE_AFTER_SECONDS
    assert fees.is_stuck(newest, {"gasPrice": 20}, age, many, first=False)
    assert not fees.is_stuck(newest, {"gasPrice": 19}, age, many, first=True)
