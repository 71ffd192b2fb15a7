"""Amounts, times, roles and foreign text as people read them."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from otc_sdk.amounts import to_text
from otc_sdk.fiat import minor_digits
from otc_sdk.text import plain

if TYPE_CHECKING:
    from otc_sdk.order import Order
    from otc_sdk.roles import Role

FAR = 1 << 36  # beyond what calendars hold
UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def amount(order: "Order", units: int) -> str:
    return f"{to_text(units, order.decimals)} {plain(order.symbol)}"


def fiat(minor: int, currency: str) -> str:
    digits = minor_digits(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f} {plain(currency)}"


def price(text: str) -> str:
    """A price without needless zeros."""
    whole, _, fraction = plain(text).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def short(address: str) -> str:
    """An address in a table; where it matters it is shown whole."""
    return f"{address[:8]}…{address[-4:]}" if len(address) == 42 else plain(address)


def span(seconds: int) -> str:
    """The two largest units: 3 h 20 min."""
    parts = []
    for size, name in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def moment(at: int, now: int) -> str | None:
    """Local time and how far it is; None for 0, which means never."""
    if at == 0:
        return None
    if at > FAR:
        return f"second {at} (in {span(at - now)})"
    local = datetime.fromtimestamp(at).astimezone()
    far = f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"
    return f"{local:%Y-%m-%d %H:%M:%S %Z} ({far})"


def roles(some: "Iterable[Role]") -> str:
    return " and ".join(role.label for role in sorted(some))


def alternatives(sets: "Iterable[Iterable[Role]]") -> str:
    return ", or ".join(roles(one) for one in sets)


def outcome(order: "Order", to_buyer_units: int) -> str:
    """What a settlement is called."""
    if to_buyer_units == 0:
        return "refund: all to the seller"
    if to_buyer_units == order.terms.amount_units:
        return "release: all to the buyer"
    return f"split: {amount(order, to_buyer_units)} to the buyer"
