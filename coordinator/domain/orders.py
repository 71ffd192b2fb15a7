"""An order's life: one table of (status, event) -> status. A pair that is not in it is refused."""

from dataclasses import dataclass
from enum import StrEnum

from coordinator.domain.errors import Conflict
from coordinator.domain.escrows import EscrowView


class OrderStatus(StrEnum):
    PENDING = "pending"
    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    AWAITING_RELEASE = "awaiting_release"
    AWAITING_REFUND = "awaiting_refund"
    DISPUTED = "disputed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Event(StrEnum):
    TERMS_SIGNED = "terms_signed"
    WITHDRAWN = "withdrawn"
    FUNDING_EXPIRED = "funding_expired"
    DEPOSIT_FINAL = "deposit_final"
    PAID = "paid"
    RELEASE_AGREED = "release_agreed"
    REFUND_AGREED = "refund_agreed"
    UNSETTLED = "unsettled"
    UNSETTLED_PAID = "unsettled_paid"
    UNSETTLED_DISPUTED = "unsettled_disputed"
    UNSETTLED_UNFUNDED = "unsettled_unfunded"
    DISPUTED = "disputed"
    PAID_OUT = "paid_out"
    REFUNDED = "refunded"


class Actor(StrEnum):
    """Who may cause an event."""

    SELLER = "seller"
    BUYER = "buyer"
    COORDINATOR = "coordinator"
    ARBITRATOR = "arbitrator"
    CHAIN = "chain"


@dataclass(frozen=True)
class Transition:
    """A row: what an event leads to, who may cause it, by when, and what happens on chain."""

    to: OrderStatus
    actors: frozenset[Actor]
    deadline: str | None = None
    on_chain: str | None = None


S, E = OrderStatus, Event
TRADERS = frozenset({Actor.SELLER, Actor.BUYER})
SIGNERS = TRADERS | {Actor.ARBITRATOR, Actor.COORDINATOR}
BUYER = frozenset({Actor.BUYER})
COORDINATOR = frozenset({Actor.COORDINATOR})
CHAIN = frozenset({Actor.CHAIN})

# Orders whose vault may hold tokens: the chain may end or dispute any of them, whoever sent it.
FUNDED = (S.AWAITING_PAYMENT, S.PAID, S.AWAITING_RELEASE, S.AWAITING_REFUND, S.DISPUTED)
IN_FLIGHT = (S.AWAITING_RELEASE, S.AWAITING_REFUND)
ENDED = frozenset({S.COMPLETED, S.CANCELLED, S.EXPIRED})

TRANSITIONS: dict[tuple[OrderStatus, Event], Transition] = {
    (S.PENDING, E.TERMS_SIGNED): Transition(S.PENDING, TRADERS, "fund_by"),
    (S.PENDING, E.WITHDRAWN): Transition(S.CANCELLED, TRADERS, "fund_by"),
    (S.PENDING, E.FUNDING_EXPIRED): Transition(S.EXPIRED, COORDINATOR, "fund_by"),
    (S.PENDING, E.DEPOSIT_FINAL): Transition(S.AWAITING_PAYMENT, CHAIN, "fund_by", "deposit"),
    (S.AWAITING_PAYMENT, E.PAID): Transition(S.PAID, BUYER, "pay_by"),
    **{
        (status, E.RELEASE_AGREED): Transition(S.AWAITING_RELEASE, SIGNERS, None, "settle")
        for status in (S.EXPIRED, S.CANCELLED, *FUNDED)
    },
    # A settlement that the chain refused for good: the order is again where it was.
    **{(s, E.UNSETTLED): Transition(S.AWAITING_PAYMENT, COORDINATOR) for s in IN_FLIGHT},
    **{(s, E.UNSETTLED_PAID): Transition(S.PAID, COORDINATOR) for s in IN_FLIGHT},
    **{(s, E.UNSETTLED_DISPUTED): Transition(S.DISPUTED, COORDINATOR) for s in IN_FLIGHT},
    # The deposit that was to be paid back has vanished, or never was the whole amount.
    **{(s, E.UNSETTLED_UNFUNDED): Transition(S.EXPIRED, COORDINATOR) for s in IN_FLIGHT},
    **{
        (status, E.REFUND_AGREED): Transition(S.AWAITING_REFUND, SIGNERS, None, "settle")
        for status in (S.PENDING, S.EXPIRED, S.CANCELLED, *FUNDED)
    },
    **{
        (status, E.DISPUTED): Transition(S.DISPUTED, CHAIN, None, "dispute")
        for status in (S.PENDING, S.EXPIRED, S.CANCELLED, *FUNDED)
    },
    **{
        (status, E.PAID_OUT): Transition(S.COMPLETED, CHAIN, None, "settled")
        for status in (S.PENDING, S.EXPIRED, S.CANCELLED, *FUNDED)
    },
    **{
        (status, E.REFUNDED): Transition(S.CANCELLED, CHAIN, None, "settled")
        for status in (S.PENDING, S.EXPIRED, S.CANCELLED, *FUNDED)
    },
}


def next_status(status: OrderStatus, event: Event, actor: Actor) -> OrderStatus:
    """The status after an event. Raises Conflict for a pair or an actor not in the table."""
    transition = TRANSITIONS.get((status, event))
    if transition is None:
        raise Conflict("not_in_this_status", f"an order that is {status} cannot be {event}")
    if actor not in transition.actors:
        raise Conflict("not_this_actor", f"{event} is not for the {actor}")
    return transition.to


def possible(final: EscrowView, fund_by: int) -> frozenset[OrderStatus]:
    """The statuses that what is final leaves an order; every other one contradicts the chain."""
    if final.settled:
        return frozenset({S.COMPLETED if final.to_buyer_units else S.CANCELLED})
    if final.disputed_at:
        return frozenset({S.DISPUTED, *IN_FLIGHT})
    begun = (S.AWAITING_PAYMENT, S.PAID) if 0 < final.funded_at < fund_by else ()
    return frozenset({S.PENDING, S.EXPIRED, S.CANCELLED, *IN_FLIGHT, *begun})


def mermaid() -> str:
    """The life as a Mermaid state diagram, for the docs."""
    edges: dict[tuple[str, str], list[str]] = {}
    for (status, event), transition in TRANSITIONS.items():
        edges.setdefault((status, transition.to), []).append(event)
    lines = [f"    {a} --> {b}: {', '.join(sorted(set(e)))}" for (a, b), e in edges.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> pending", *lines]) + "\n"
