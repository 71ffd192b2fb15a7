"""Fiat in minor units for tokens in smallest units, at prices as Decimal; all rounding is here.

Decimal arithmetic would round to its context's 28 digits; products of whole numbers are exact.
"""

from decimal import Decimal

# Minor digits of fiat currencies that have not two (ISO 4217).
MINOR_DIGITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3}


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
