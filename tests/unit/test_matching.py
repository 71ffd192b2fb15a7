"""Which ad serves which want."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.ads import Offer, Side
from coordinator.domain.errors import Invalid
from coordinator.domain.matching import Want, amount_units, best, mismatch, require_want

DECIMALS = 6
UNIT = 10**DECIMALS
OFFER = Offer(
    side=Side.SELL,
    fiat="EUR",
    price=Decimal("0.93"),
    available_units=500 * UNIT,
    min_fiat_minor=10_00,
    max_fiat_minor=300_00,
    payment_methods=frozenset({"sepa", "cash"}),
    pay_by_seconds=900,
    maker="maker",
)
WANT = Want(
    taker="taker",
    side=Side.BUY,
    fiat="EUR",
    payment_method="sepa",
    amount_units=100 * UNIT,
    fiat_amount_minor=None,
    worst_price=None,
)


def test_a_fitting_offer() -> None:
    assert mismatch(WANT, OFFER, DECIMALS) is None


@pytest.mark.parametrize(
    ("want", "reason"),
    [
        (replace(WANT, side=Side.SELL), "the ad is on the same side"),
        (replace(WANT, taker="maker"), "nobody takes their own ad"),
        (replace(WANT, fiat="USD"), "the ad is for EUR"),
        (replace(WANT, payment_method="pix"), "the ad lacks the payment method"),
        (replace(WANT, worst_price=Decimal("0.92")), "the price is worse than asked for"),
        (replace(WANT, amount_units=500 * UNIT + 1), "the ad has not this much left"),
        (replace(WANT, amount_units=10 * UNIT), "the ad takes 1000 to 30000 minor units"),
        (replace(WANT, amount_units=323 * UNIT), "the ad takes 1000 to 30000 minor units"),
        (
            replace(WANT, amount_units=None, fiat_amount_minor=10_00 - 1),
            "the ad takes 1000 to 30000 minor units",
        ),
    ],
)
def test_each_way_not_to_fit(want: Want, reason: str) -> None:
    assert mismatch(want, OFFER, DECIMALS) == reason
    assert best(want, [(1, OFFER)], DECIMALS) is None


def test_a_seller_is_not_served_below_the_worst_price() -> None:
    buying = replace(OFFER, side=Side.BUY)
    selling = replace(WANT, side=Side.SELL)
    assert mismatch(replace(selling, worst_price=Decimal("0.93")), buying, DECIMALS) is None
    assert mismatch(replace(selling, worst_price=Decimal("0.94")), buying, DECIMALS)


@pytest.mark.parametrize(
    ("units", "minor"), [(None, None), (1, 1), (0, None), (None, 0), (-1, None), (None, -1)]
)
def test_exactly_one_positive_amount(units: int | None, minor: int | None) -> None:
    with pytest.raises(Invalid) as refused:
        require_want(replace(WANT, amount_units=units, fiat_amount_minor=minor))
    assert refused.value.code == "amount_out_of_range"


def test_the_first_that_fits_wins() -> None:
    small = replace(OFFER, available_units=UNIT)
    assert best(WANT, [(1, small), (2, OFFER), (3, OFFER)], DECIMALS) == 2
    assert best(WANT, [], DECIMALS) is None


@given(st.integers(1, 10**12), st.decimals("0.0001", "1000000", places=4))
def test_whatever_matches_is_within_the_offer(minor: int, price: Decimal) -> None:
    offer = replace(OFFER, price=price)
    want = replace(WANT, amount_units=None, fiat_amount_minor=minor)
    if mismatch(want, offer, DECIMALS) is None:
        assert 0 < amount_units(want, offer, DECIMALS) <= offer.available_units


def test_the_greatest_amount_is_no_accident() -> None:
    want = replace(WANT, amount_units=2**128 - 1)
    assert mismatch(want, OFFER, 18) == "the ad has not this much left"
