"""Rounding: exact at any size, half up to the minor unit, never over the rate."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import Invalid
from coordinator.domain.money import (
    BPS,
    MAX_PRICE,
    MAX_UNITS,
    fee_units,
    fiat_minor,
    minor_digits,
    require_price,
    units_for_fiat,
)

prices = st.decimals("0.00000001", MAX_PRICE, places=8)
amounts = st.integers(0, MAX_UNITS)
decimals = st.sampled_from([0, 6, 8, 18])
fiats = st.sampled_from(["EUR", "JPY", "KWD"])
rates = st.integers(0, BPS)


@pytest.mark.parametrize(
    ("units", "price", "fiat", "minor"),
    [
        (1_000_000, "0.93", "EUR", 93),
        (1_000_000, "155.4", "JPY", 155),
        (1_000_000, "155.5", "JPY", 156),
        (1_000_000, "0.30701", "KWD", 307),
        (5_000, "1", "EUR", 1),
        (4_999, "1", "EUR", 0),
    ],
)
def test_fiat_of_an_amount(units: int, price: str, fiat: str, minor: int) -> None:
    assert fiat_minor(units, 6, Decimal(price), fiat) == minor


@given(amounts, decimals, prices, fiats)
def test_fiat_is_the_nearest_minor_unit(units: int, places: int, price: Decimal, fiat: str) -> None:
    exact = Fraction(price) * units * 10 ** minor_digits(fiat) / 10**places
    assert Fraction(-1, 2) < fiat_minor(units, places, price, fiat) - exact <= Fraction(1, 2)


@given(amounts, decimals, prices, fiats)
def test_a_fiat_amount_buys_no_more_than_it_pays_for(
    minor: int, places: int, price: Decimal, fiat: str
) -> None:
    units = units_for_fiat(minor, places, price, fiat)
    unit_price = Fraction(price) * 10 ** minor_digits(fiat) / 10**places
    assert units * unit_price <= minor < (units + 1) * unit_price


@given(amounts, decimals, prices, fiats)
def test_fiat_to_units_and_back_stays_within_one_unit(
    minor: int, places: int, price: Decimal, fiat: str
) -> None:
    unit_price = Fraction(price) * 10 ** minor_digits(fiat) / 10**places
    back = fiat_minor(units_for_fiat(minor, places, price, fiat), places, price, fiat)
    assert minor - unit_price - Fraction(1, 2) <= back <= minor


@given(amounts, rates)
def test_the_fee_is_never_over_the_rate(units: int, rate: int) -> None:
    fee = fee_units(units, rate)
    assert fee * BPS <= units * rate < (fee + 1) * BPS


@given(st.lists(st.integers(0, 10**20), max_size=8), rates)
def test_splitting_an_order_never_raises_the_fee(parts: list[int], rate: int) -> None:
    assert sum(fee_units(part, rate) for part in parts) <= fee_units(sum(parts), rate)


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "-Infinity", "1000000000001"])
def test_prices_out_of_range(price: str) -> None:
    with pytest.raises(Invalid) as refused:
        require_price(Decimal(price))
    assert refused.value.code == "price_out_of_range"


def test_a_price_that_is_too_fine() -> None:
    assert require_price(Decimal("0.00000001")) == Decimal("1e-8")
    assert require_price(Decimal("1.0000000000000")) == 1
    with pytest.raises(Invalid) as refused:
        require_price(Decimal("0.000000001"))
    assert refused.value.code == "price_too_fine"
