"""Who may settle an order how, and when: the contract's table, for clients and the coordinator."""

from collections.abc import Set
from dataclasses import dataclass

from otc_sdk.roles import Role
from otc_sdk.terms import Terms


@dataclass(frozen=True)
class State:
    """What the escrow remembers of an order; Unix seconds, 0 for never."""

    refund_requested_at: int = 0
    disputed_at: int = 0


def allows(
    roles: Set[Role],
    to_buyer_units: int,
    terms: Terms,
    state: State,
    time: int,
    balance_units: int | None = None,
) -> bool:
    """Whether these roles may settle this way at `time`. A deadline counts from its own second.

    `balance_units` is what the vault holds, by default the amount: the default split is of that if
    it is less. Unusable terms allow a refund, by anyone, and nothing else.
    """
    if terms.fault() is not None:
        return to_buyer_units == 0
    seller, buyer = Role.SELLER in roles, Role.BUYER in roles
    coordinator, arbitrator = Role.COORDINATOR in roles, Role.ARBITRATOR in roles
    refund, release = to_buyer_units == 0, to_buyer_units == terms.amount_units
    disputed = state.disputed_at != 0
    payment_overdue = refund and not disputed and time >= terms.pay_by
    refund_due = state.refund_requested_at + terms.refund_window_seconds
    ruling_due = state.disputed_at + terms.ruling_window_seconds
    final_due = ruling_due + terms.final_window_seconds
    default_units = terms.default_to_buyer_units(balance_units)
    trader = seller or buyer
    return (
        (seller and buyer)
        or (release and seller and coordinator)
        or (refund and buyer and coordinator)
        or (payment_overdue and seller and coordinator)
        or (payment_overdue and seller and state.refund_requested_at > 0 and time >= refund_due)
        or (disputed and arbitrator and trader)
        or (disputed and coordinator and trader and time >= ruling_due)
        or (disputed and time >= final_due and to_buyer_units == default_units)
    )
