"""When the coordinator adds its signature: only where a trader gives way to the other."""

from dataclasses import dataclass

from otc_sdk.policy import State
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

from coordinator.domain.errors import Forbidden, Later

# A signature that lives longer would bind the coordinator to a world that has moved on.
MAX_VALIDITY_SECONDS = 30 * 86_400

# What the limits of releases are counted over: name, seconds, whether each trader has their own.
# Refunds are not counted: they go back to the seller, on the buyer's word.
WINDOWS = (
    ("hour", 3600, False),
    ("day", 86_400, False),
    ("trader_day", 86_400, True),
)


@dataclass(frozen=True)
class Limit:
    """The most that is released in a stretch of time: units of the token, and orders.

    An order counts once, however often it is signed: it settles once.
    """

    name: str
    seconds: int
    each_trader: bool
    units: int
    orders: int


def giving_role(terms: Terms, to_buyer_units: int) -> Role:
    """The trader whose signature must be there first. Raises Forbidden for a split."""
    if to_buyer_units == terms.amount_units:
        return Role.SELLER
    if to_buyer_units == 0:
        return Role.BUYER
    raise Forbidden("cosign_split", "the coordinator co-signs releases and refunds, not splits")


def require_validity(valid_until: int, now: int) -> None:
    """Raise Forbidden unless the settlement is valid now and not for too long."""
    if not now < valid_until <= now + MAX_VALIDITY_SECONDS:
        raise Forbidden(
            "cosign_validity",
            f"valid_until {valid_until} is not within {MAX_VALIDITY_SECONDS} seconds from {now}",
        )


def require_judges_turn(terms: Terms, state: State, time: int) -> None:
    """Raise Later unless the order is disputed and the arbitrator's time to rule is over."""
    if not state.disputed_at:
        raise Later("judge_undisputed", "no final block holds a dispute of this order")
    due = state.disputed_at + terms.ruling_window_seconds
    if time < due:
        raise Later("judge_early", f"the arbitrator alone rules until {due}; it is {time}")


def require_order_limit(amount_units: int, order_units: int) -> None:
    """Raise Forbidden for an order that is too large for a machine to release."""
    if amount_units > order_units:
        raise Forbidden(
            "cosign_order_limit",
            f"an order of {amount_units} units is over the limit of {order_units}",
        )


def require_within(limit: Limit, others: int, others_units: int, amount_units: int) -> None:
    """Raise Later if one order more than these others, of this amount, would pass the limit."""
    if others + 1 > limit.orders or others_units + amount_units > limit.units:
        raise Later(
            f"cosign_{limit.name}_limit",
            f"{others} orders of {others_units} units were released in {limit.seconds} seconds; "
            f"{amount_units} units more pass the limit of {limit.orders} orders or {limit.units} "
            f"units{' of one trader' if limit.each_trader else ''}",
        )
