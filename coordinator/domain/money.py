"""Tokens in smallest units, fiat in minor units, prices as Decimal. All rounding is here.

Decimal arithmetic would round to its context's 28 digits; products of whole numbers are exact.
"""

from decimal import Decimal

from coordinator.domain.errors import Invalid

BPS = 10_000
# Minor digits of fiat currencies that have not two (ISO 4217).
MINOR_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3}
MAX_PRICE = Decimal("1e12")
MAX_PRICE_DECIMALS = 8
MAX_UNITS = 2**128 - 1


def minor_digits(fiat: str) -> int:
    return MINOR_DIGITS.get(fiat, 2)


def fiat_minor(amount_units: int, decimals: int, price: Decimal, fiat: str) -> int:
    """Fiat for a token amount at `price` fiat per whole token, half up to the minor unit."""
    numerator, denominator = price.as_integer_ratio()
    paid: int = amount_units * numerator * 10 ** minor_digits(fiat)
    whole: int = denominator * 10**decimals
    return (2 * paid + whole) // (2 * whole)


def units_for_fiat(minor: int, decimals: int, price: Decimal, fiat: str) -> int:
    """Token units that a fiat amount buys at `price`, rounded down."""
    numerator, denominator = price.as_integer_ratio()
    paid: int = minor * denominator * 10**decimals
    return paid // (numerator * int(10 ** minor_digits(fiat)))


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
