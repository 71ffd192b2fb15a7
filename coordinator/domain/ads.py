"""Ads: what a maker offers, and what a taker wants."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from coordinator.domain.errors import Invalid
from coordinator.domain.money import MAX_UNITS, require_price

MAX_PAYMENT_METHODS = 10
MIN_PAY_BY_SECONDS = 60
MAX_PAY_BY_SECONDS = 86_400
MAX_OPEN_ADS_PER_MERCHANT = 50


class Side(StrEnum):
    """What the maker does with the token. The taker does the other."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        return Side.SELL if self is Side.BUY else Side.BUY


class AdStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Offer:
    """What matching and validation read of an ad. Limits are fiat minor units an order."""

    side: Side
    fiat: str
    price: Decimal
    available_units: int
    min_fiat_minor: int
    max_fiat_minor: int
    payment_methods: frozenset[str]
    pay_by_seconds: int
    maker: str


def require_offer(offer: Offer, known_methods: frozenset[str]) -> None:
    """Raise Invalid if the offer is outside its limits."""
    require_price(offer.price)
    if not (len(offer.fiat) == 3 and offer.fiat.isascii() and offer.fiat.isupper()):
        raise Invalid("unknown_fiat", f"{offer.fiat!r} is not a currency code such as EUR")
    if not 0 < offer.available_units <= MAX_UNITS:
        raise Invalid("amount_out_of_range", "the available amount must be above 0")
    if not 0 < offer.min_fiat_minor <= offer.max_fiat_minor <= MAX_UNITS:
        raise Invalid("limits_out_of_range", "the limits must be 0 < minimum <= maximum")
    if not 1 <= len(offer.payment_methods) <= MAX_PAYMENT_METHODS:
        raise Invalid(
            "payment_methods_out_of_range", f"give 1 to {MAX_PAYMENT_METHODS} payment methods"
        )
    unknown = sorted(offer.payment_methods - known_methods)
    if unknown:
        raise Invalid(
            "unknown_payment_method",
            f"unknown payment method {unknown[0]!r}; known: {', '.join(sorted(known_methods))}",
        )
    if not MIN_PAY_BY_SECONDS <= offer.pay_by_seconds <= MAX_PAY_BY_SECONDS:
        raise Invalid(
            "pay_by_out_of_range",
            f"pay_by_seconds must be {MIN_PAY_BY_SECONDS} to {MAX_PAY_BY_SECONDS}",
        )
