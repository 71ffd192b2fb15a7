"""When the coordinator may add its signature at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

from coordinator.domain.cosigning import (
    MAX_VALIDITY_SECONDS,
    giving_role,
    require_validity,
    require_within_cap,
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


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_the_cap_is_never_passed(signed: int, amount: int, cap: int) -> None:
    if signed + amount <= cap:
        require_within_cap(signed, amount, cap)
    else:
        with pytest.raises(Later) as refused:
            require_within_cap(signed, amount, cap)
        assert refused.value.code == "cosign_daily_cap"
