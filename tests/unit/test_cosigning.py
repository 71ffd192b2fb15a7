"""When the coordinator may add its signature at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

from coordinator.domain.cosigning import (
    MAX_VALIDITY_SECONDS,
    Limit,
    giving_role,
    require_order_limit,
    require_validity,
    require_within,
)
from coordinator.domain.errors import Forbidden, Later
from tests.chain import account_of

NOW = 1_800_000_000
AMOUNT = 1_000
TERMS = Terms(
    token=account_of("token").address,
    amount_units=AMOUNT,
    fee_units=10,
    fee_recipient=account_of("treasury").address,
    seller=account_of("seller").address,
    buyer=account_of("buyer").address,
    coordinator=account_of("coordinator").address,
    arbitrator=account_of("arbitrator").address,
    pay_by=NOW,
    refund_window_seconds=3600,
    ruling_window_seconds=3600,
    final_window_seconds=3600,
    default_buyer_bps=5000,
    salt=1,
)


def test_a_release_needs_the_seller_and_a_refund_the_buyer() -> None:
    assert giving_role(TERMS, AMOUNT) is Role.SELLER
    assert giving_role(TERMS, 0) is Role.BUYER


@given(st.integers(-10, 2 * AMOUNT).filter(lambda units: units not in (0, AMOUNT)))
def test_no_split_is_ever_co_signed(units: int) -> None:
    with pytest.raises(Forbidden) as refused:
        giving_role(TERMS, units)
    assert refused.value.code == "cosign_split"


@pytest.mark.parametrize("until", [0, NOW - 1, NOW, NOW + MAX_VALIDITY_SECONDS + 1, 2**256 - 1])
def test_validity_outside_its_bounds(until: int) -> None:
    with pytest.raises(Forbidden) as refused:
        require_validity(until, NOW)
    assert refused.value.code == "cosign_validity"


@pytest.mark.parametrize("until", [NOW + 1, NOW + MAX_VALIDITY_SECONDS])
def test_validity_at_its_bounds(until: int) -> None:
    require_validity(until, NOW)


@pytest.mark.parametrize("units", [AMOUNT + 1, 10**30])
def test_an_order_over_the_limit(units: int) -> None:
    with pytest.raises(Forbidden) as refused:
        require_order_limit(units, AMOUNT)
    assert refused.value.code == "cosign_order_limit"


def test_an_order_at_the_limit() -> None:
    require_order_limit(AMOUNT, AMOUNT)


SMALL = st.integers(0, 10)


@given(SMALL, SMALL, SMALL, SMALL, SMALL)
def test_a_limit_is_never_passed(
    others: int, others_units: int, amount: int, units: int, orders: int
) -> None:
    limit = Limit("day", 86_400, False, units, orders)
    if others + 1 <= orders and others_units + amount <= units:
        require_within(limit, others, others_units, amount)
    else:
        with pytest.raises(Later) as refused:
            require_within(limit, others, others_units, amount)
        assert refused.value.code == "cosign_day_limit"
