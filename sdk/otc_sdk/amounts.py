"""Whole tokens as people write them, and the integers that contracts count in. Never a float."""

import re

from otc_sdk.errors import AmountError

PLAIN = re.compile(r"([0-9]{1,39})(?:\.([0-9]{1,39}))?")


def to_units(text: str, decimals: int) -> int:
    """Units of a decimal text such as 12.5, exactly. Raises AmountError; nothing is rounded."""
    match = PLAIN.fullmatch(text.strip())
    if match is None:
        raise AmountError(f"{text!r} is not an amount: write digits with a point, like 12.5")
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > decimals:
        raise AmountError(f"{text} has more than {decimals} decimals")
    return int(whole + fraction.ljust(decimals, "0"))


def to_text(units: int, decimals: int) -> str:
    """Decimal text of units, without needless zeros: the inverse of `to_units`."""
    whole, fraction = divmod(units, 10**decimals)
    digits = str(fraction).rjust(decimals, "0").rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
