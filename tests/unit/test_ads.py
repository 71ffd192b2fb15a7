"""What an ad must be."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from coordinator.domain.ads import Offer, Side, require_offer
from coordinator.domain.errors import Invalid

KNOWN = frozenset({"sepa", "cash", *(f"method{i}" for i in range(20))})
OFFER = Offer(
    side=Side.SELL,
    fiat="EUR",
    price=Decimal("0.93"),
    available_units=1,
    min_fiat_minor=1,
    max_fiat_minor=1,
    payment_methods=frozenset({"sepa"}),
    pay_by_seconds=900,
    maker="maker",
)


def test_the_smallest_ad() -> None:
    require_offer(OFFER, KNOWN)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"price": Decimal(0)}, "price_out_of_range"),
        ({"price": Decimal("0.000000001")}, "price_too_fine"),
        ({"fiat": "eur"}, "unknown_fiat"),
        ({"fiat": "EURO"}, "unknown_fiat"),
        ({"fiat": "ÄÖÜ"}, "unknown_fiat"),
        ({"available_units": 0}, "amount_out_of_range"),
        ({"available_units": -1}, "amount_out_of_range"),
        ({"available_units": 2**128}, "amount_out_of_range"),
        ({"min_fiat_minor": 0}, "limits_out_of_range"),
        ({"min_fiat_minor": 2}, "limits_out_of_range"),
        ({"max_fiat_minor": 2**128}, "limits_out_of_range"),
        ({"payment_methods": frozenset()}, "payment_methods_out_of_range"),
        (
            {"payment_methods": frozenset(f"method{i}" for i in range(11))},
            "payment_methods_out_of_range",
        ),
        ({"payment_methods": frozenset({"sepa", "barter"})}, "unknown_payment_method"),
        ({"pay_by_seconds": 4}, "pay_by_out_of_range"),
        ({"pay_by_seconds": 86_401}, "pay_by_out_of_range"),
    ],
)
def test_each_fault_has_its_code(change: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refused:
        require_offer(replace(OFFER, **change), KNOWN)
    assert refused.value.code == code


def test_sides_are_opposite() -> None:
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
