"""Finding the best compatible ad: best price for the taker first, then the oldest."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from coordinator.domain.ads import Offer, Side
from coordinator.domain.errors import Invalid
from coordinator.domain.money import fiat_minor, require_price, units_for_fiat

T = TypeVar("T")


@dataclass(frozen=True)
class Want:
    """What a taker asks for: `amount_units` or `fiat_amount_minor`, one of the two.

    `side` is the taker's. `worst_price` is the highest price to buy at, or the lowest to sell at.
    """

    taker: str
    side: Side
    fiat: str
    payment_method: str
    amount_units: int | None
    fiat_amount_minor: int | None
    worst_price: Decimal | None


def require_want(want: Want) -> None:
    """Raise Invalid unless exactly one positive amount is given, and the price is one."""
    amounts = [a for a in (want.amount_units, want.fiat_amount_minor) if a is not None]
    if len(amounts) != 1 or amounts[0] <= 0:
        raise Invalid(
            "amount_out_of_range", "give either amount_units or fiat_amount_minor, above 0"
        )
    if want.worst_price is not None:
        require_price(want.worst_price)


def amount_units(want: Want, offer: Offer, decimals: int) -> int:
    """Token units that the want means at the offer's price."""
    if want.amount_units is not None:
        return want.amount_units
    return units_for_fiat(want.fiat_amount_minor or 0, decimals, offer.price, offer.fiat)


def mismatch(want: Want, offer: Offer, decimals: int) -> str | None:
    """Why the offer does not serve the want; None if it does."""
    units = amount_units(want, offer, decimals)
    fiat = fiat_minor(units, decimals, offer.price, offer.fiat)
    worse = want.worst_price is not None and (
        offer.price > want.worst_price if want.side is Side.BUY else offer.price < want.worst_price
    )
    checks = (
        (offer.side is want.side, "the ad is on the same side"),
        (offer.maker == want.taker, "nobody takes their own ad"),
        (offer.fiat != want.fiat, f"the ad is for {offer.fiat}"),
        (want.payment_method not in offer.payment_methods, "the ad lacks the payment method"),
        (worse, "the price is worse than asked for"),
        (not 0 < units <= offer.available_units, "the ad has not this much left"),
        (
            not offer.min_fiat_minor <= fiat <= offer.max_fiat_minor,
            f"the ad takes {offer.min_fiat_minor} to {offer.max_fiat_minor} minor units",
        ),
    )
    return next((text for bad, text in checks if bad), None)


def best(want: Want, offers: Iterable[tuple[T, Offer]], decimals: int) -> T | None:
    """The first compatible offer; `offers` come in priority order (price, then age)."""
    return next((key for key, offer in offers if mismatch(want, offer, decimals) is None), None)
