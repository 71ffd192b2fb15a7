"""Tokens in smallest units, fiat in minor units, prices as Decimal. Traders reckon the same way."""

from decimal import Decimal

from otc_sdk.fiat import fiat_minor as fiat_minor
from otc_sdk.fiat import minor_digits as minor_digits
from otc_sdk.fiat import units_for_fiat as units_for_fiat

from coordinator.domain.errors import Invalid

BPS = 10_000
MAX_PRICE = Decimal("1e12")
MAX_PRICE_DECIMALS = 8
MAX_UNITS = 2**128 - 1


def fee_units(amount_units: int, fee_bps: int) -> int:
    """The platform's fee of a full release, rounded down: never over the rate."""
    return amount_units * fee_bps // BPS


def require_price(price: Decimal) -> Decimal:
    """Raise Invalid unless 0 < price <= MAX_PRICE with at most MAX_PRICE_DECIMALS decimals."""
    if not price.is_finite() or not 0 < price <= MAX_PRICE:
        raise Invalid("price_out_of_range", f"the price must be above 0 and at most {MAX_PRICE:f}")
    exponent = price.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > MAX_PRICE_DECIMALS:
        raise Invalid("price_too_fine", f"the price has more than {MAX_PRICE_DECIMALS} decimals")
    return price
