"""What a vault is in, folded from its events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.escrows import ChainEvent, Condition, EscrowView, condition, fold

TOKEN, AMOUNT = "token", 100


def event(name: str, units: int = 0, time: int = 1, token: str = TOKEN) -> ChainEvent:
    return ChainEvent(name, units, time, block_number=time, tx_hash=f"tx {time}", token=token)


def view(*events: ChainEvent) -> EscrowView:
    return fold(events, TOKEN, AMOUNT)


def test_nothing_happened() -> None:
    assert view() == EscrowView()


def test_short() -> None:
    short = view(event("Deposit", 99))
    assert (short.balance_units, short.funded_at) == (99, 0)


def test_exact() -> None:
    assert view(event("Deposit", 100, time=5)).funded_at == 5


def test_surplus() -> None:
    surplus = view(event("Deposit", 101, time=5))
    assert (surplus.balance_units, surplus.funded_at) == (101, 5)


def test_a_top_up_funds_when_the_amount_is_reached_and_never_again() -> None:
    topped = view(event("Deposit", 60, 1), event("Deposit", 40, 2), event("Deposit", 9, 3))
    assert (topped.balance_units, topped.funded_at) == (109, 2)


def test_the_wrong_token_funds_nothing() -> None:
    wrong = view(event("Deposit", 100, token="other"), event("Withdrawal", 50, token="other"))
    assert (wrong.balance_units, wrong.funded_at, wrong.wrong_token) == (0, 0, True)


def test_requests_disputes_and_settlements() -> None:
    done = view(
        event("Deposit", 100, 1), event("RefundRequested", time=2), event("Disputed", time=3),
        event("Settled", 70, 4), event("Withdrawal", 100, 4), event("Swept", 1, 5),
    )  # fmt: skip
    assert (done.state.refund_requested_at, done.state.disputed_at) == (2, 3)
    assert (done.settled, done.settled_tx, done.to_buyer_units) == (True, "tx 4", 70)
    assert done.balance_units == 0


def test_a_refund_is_a_settlement_of_nothing_to_the_buyer() -> None:
    refunded = view(event("Deposit", 100), event("Settled", 0, 2))
    assert (refunded.settled, refunded.to_buyer_units) == (True, 0)


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (0, Condition.EMPTY), (1, Condition.SHORT), (99, Condition.SHORT),
        (100, Condition.FUNDED), (101, Condition.SURPLUS),
    ],
)  # fmt: skip
def test_conditions(balance: int, expected: Condition) -> None:
    assert condition(balance, AMOUNT) is expected


names = st.sampled_from(["Deposit", "Withdrawal", "RefundRequested", "Disputed", "Settled"])
events = st.lists(
    st.builds(event, names, st.integers(0, 200), st.integers(1, 99), st.sampled_from("xy")),
    max_size=12,
)


@given(events)
def test_only_the_agreed_token_counts(happened: list[ChainEvent]) -> None:
    moved = [e for e in happened if e.token == "x"]
    came = sum(e.units for e in moved if e.name == "Deposit")
    went = sum(e.units for e in moved if e.name == "Withdrawal")
    assert fold(happened, "x", AMOUNT).balance_units == came - went


def test_a_reorg_is_a_fold_of_fewer_events() -> None:
    """Whatever the vanished blocks held is gone, and nothing of it comes back by itself."""
    kept = [event("Deposit", 60, 1)]
    vanished = [event("Deposit", 40, 2), event("Disputed", time=3), event("Settled", 100, 4)]
    assert view(*kept, *vanished).settled
    after = view(*kept)
    assert (after.funded_at, after.disputed_at, after.settled, after.balance_units) == (
        0, 0, False, 60,
    )  # fmt: skip
    assert view(*kept, event("Deposit", 40, 9)).funded_at == 9
