"""Whether an order is what a trader asked for: role, amount, price, fiat. No I/O."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from otc_sdk.errors import TermsError
from otc_sdk.fiat import fiat_minor, units_for_fiat
from otc_sdk.order import Order
from otc_sdk.roles import Role

# What a price may be, in fiat for one whole token; others are not reckoned with.
MAX_PRICE = Decimal("1e12")
MAX_PRICE_DECIMALS = 8


def require_asked(order: Order, want: Mapping[str, Any], trader: str) -> None:
    """Raise TermsError unless the order is what `trader` asked for. Members of `want` as in the
    API's `OrderIn`."""
    role = Role.BUYER if want["side"] == "buy" else Role.SELLER
    require_price(order, role, want.get("worst_price"))
    units = order.terms.amount_units
    fault = first(
        (order.terms.role_of(trader) is not role, f"this wallet is not the {role.label}"),
        (units != asked_units(order, want), f"{units} is not the amount"),
        *(
            (want.get(name) not in (None, order.facts.get(name)), f"another {name}")
            for name in ("fiat", "payment_method", "ad_id")
        ),
    )
    if fault is not None:
        raise TermsError(f"refused: the terms are not what was asked for: {fault}")


def asked_units(order: Order, want: Mapping[str, Any]) -> int:
    """The amount, or what the fiat amount buys at the order's price, which was checked."""
    if want.get("amount_units") is not None:
        return int(want["amount_units"])
    price, fiat = price_of(order.facts), order.facts["fiat"]
    return units_for_fiat(int(want["fiat_amount_minor"]), order.decimals, price, fiat)


def require_price(order: Order, role: Role, worst: str | None) -> None:
    """Raise TermsError if the price is worse than `worst` for this role (None for any price), or
    the fiat amount is not the token amount at that price."""
    facts, price = order.facts, price_of(order.facts)
    limit = price if worst is None else Decimal(worst)
    due = fiat_minor(order.terms.amount_units, order.decimals, price, str(facts.get("fiat")))
    fault = first(
        (price > limit if role is Role.BUYER else price < limit, f"the price {price} is worse"),
        (str(facts.get("fiat_amount_minor")) != str(due), f"at its price, {due} would be due"),
    )
    if fault is not None:
        raise TermsError(f"refused: the terms are not what was asked for: {fault}")


def price_of(facts: Mapping[str, Any]) -> Decimal:
    """The price that an order tells. Raises TermsError if it is none."""
    try:
        price = Decimal(str(facts["price"]))
        exponent = price.normalize().as_tuple().exponent
    except (KeyError, ArithmeticError) as error:
        raise TermsError("refused: the order tells no price") from error
    finite = isinstance(exponent, int) and -exponent <= MAX_PRICE_DECIMALS
    if not finite or not 0 < price <= MAX_PRICE:
        raise TermsError("refused: the order tells no price")
    return price


def first(*checks: tuple[bool, str]) -> str | None:
    return next((text for bad, text in checks if bad), None)
