"""An order's life: the table as the specification says it, and nothing beside it."""

from dataclasses import dataclass, replace
from itertools import product

import pytest

from coordinator.domain.errors import Conflict
from coordinator.domain.escrows import EscrowView
from coordinator.domain.orders import (
    ENDED,
    TRANSITIONS,
    Actor,
    Event,
    OrderStatus,
    mermaid,
    next_status,
    possible,
)
from scripts.order_life import PAGE, page

S, E = OrderStatus, Event
EVERY_TRIPLE = list(product(OrderStatus, Event, Actor))

FUNDED = "awaiting_payment paid awaiting_release awaiting_refund disputed"
# Late tokens may lie in the vault of an order that was never begun: it can still be settled.
UNFUNDED = "pending expired cancelled"
IN_FLIGHT = "awaiting_release awaiting_refund"
SIGNERS = "seller buyer arbitrator coordinator"
# (statuses, event, actors, the status after)
SPECIFICATION = (
    ("pending", "terms_signed", "seller buyer", "pending"),
    ("pending", "withdrawn", "seller buyer", "cancelled"),
    ("pending", "funding_expired", "coordinator", "expired"),
    ("pending", "deposit_final", "chain", "awaiting_payment"),
    ("awaiting_payment", "paid", "buyer", "paid"),
    (f"{FUNDED} expired cancelled", "release_agreed", SIGNERS, "awaiting_release"),
    # A settlement that the chain refused for good: the order is again where it was.
    (IN_FLIGHT, "unsettled", "coordinator", "awaiting_payment"),
    (IN_FLIGHT, "unsettled_paid", "coordinator", "paid"),
    (IN_FLIGHT, "unsettled_disputed", "coordinator", "disputed"),
    (IN_FLIGHT, "unsettled_unfunded", "coordinator", "expired"),
    (f"{FUNDED} {UNFUNDED}", "refund_agreed", SIGNERS, "awaiting_refund"),
    (f"{FUNDED} {UNFUNDED}", "disputed", "chain", "disputed"),
    (f"{FUNDED} {UNFUNDED}", "paid_out", "chain", "completed"),
    (f"{FUNDED} {UNFUNDED}", "refunded", "chain", "cancelled"),
)
ALLOWED = {
    (S(status), E(event), Actor(actor)): S(after)
    for statuses, event, actors, after in SPECIFICATION
    for status in statuses.split()
    for actor in actors.split()
}


@pytest.mark.parametrize("event", Event)
def test_every_triple_is_in_the_specification_or_refused(event: Event) -> None:
    for status, actor in product(OrderStatus, Actor):
        after = ALLOWED.get((status, event, actor))
        if after is None:
            with pytest.raises(Conflict):
                next_status(status, event, actor)
        else:
            assert next_status(status, event, actor) is after


def test_a_refusal_says_whether_status_or_actor_is_wrong() -> None:
    with pytest.raises(Conflict) as status:
        next_status(S.COMPLETED, E.PAID, Actor.BUYER)
    with pytest.raises(Conflict) as actor:
        next_status(S.AWAITING_PAYMENT, E.PAID, Actor.SELLER)
    assert (status.value.code, actor.value.code) == ("not_in_this_status", "not_this_actor")


def test_completed_is_the_end() -> None:
    assert not [pair for pair in TRANSITIONS if pair[0] is S.COMPLETED]


def test_only_the_chain_completes_an_order() -> None:
    completing = [t for t in TRANSITIONS.values() if t.to is S.COMPLETED]
    assert completing
    assert all(t.actors == {Actor.CHAIN} for t in completing)


def test_paid_is_never_undone() -> None:
    """But by a settlement, which may fail: then `paid` comes back by `unsettled_paid`."""
    after_paid = {t.to for (status, _), t in TRANSITIONS.items() if status is S.PAID}
    assert after_paid.isdisjoint({S.PENDING, S.AWAITING_PAYMENT, S.EXPIRED})


@pytest.mark.parametrize("start", OrderStatus)
def test_every_order_can_end(start: OrderStatus) -> None:
    reached = {start}
    while more := {t.to for (s, _), t in TRANSITIONS.items() if s in reached} - reached:
        reached |= more
    assert reached & ENDED


def test_the_diagram_has_every_transition() -> None:
    lines = mermaid().splitlines()
    for (status, event), transition in TRANSITIONS.items():
        edge = f"{status} --> {transition.to}:"
        assert [line for line in lines if edge in line and event in line]


def test_the_page_is_generated() -> None:
    assert PAGE.read_text() == page(), "run: python scripts/order_life.py"


# What the final chain leaves possible

FUND_BY = 100


@dataclass(frozen=True)
class Life:
    """A status, and what is final on chain; `told` is whether the buyer was told to pay."""

    status: OrderStatus
    final: EscrowView
    told: bool = False

    def after(self, event: Event) -> "Life":
        actor = min(TRANSITIONS[self.status, event].actors)
        final = {
            E.DISPUTED: replace(self.final, disputed_at=1),
            E.PAID_OUT: replace(self.final, settled_tx="0x", to_buyer_units=1),
            E.REFUNDED: replace(self.final, settled_tx="0x", to_buyer_units=0),
        }.get(event, self.final)
        told = self.told or event is E.DEPOSIT_FINAL
        return Life(next_status(self.status, event, actor), final, told)

    def events(self) -> set[Event]:
        """What may happen beside what the table says, as the services have it."""
        if self.final.settled:
            return set()
        found = {E.WITHDRAWN, E.FUNDING_EXPIRED, E.PAID, E.RELEASE_AGREED, E.REFUND_AGREED,
                 E.PAID_OUT, E.REFUNDED}  # fmt: skip
        if self.final.disputed_at:
            return found | {E.UNSETTLED_DISPUTED}
        found |= {E.UNSETTLED, E.UNSETTLED_PAID} if self.told else {E.UNSETTLED_UNFUNDED}
        return found | {E.DISPUTED} | ({E.DEPOSIT_FINAL} if self.final.funded_at else set())


def lives(start: Life) -> set[Life]:
    """All that can come of it."""
    found, new = {start}, {start}
    while new:
        new = {
            life.after(event)
            for life in new
            for event in life.events()
            if (life.status, event) in TRANSITIONS
        } - found
        found |= new
    return found


def test_the_final_chain_leaves_the_statuses_that_the_table_reaches() -> None:
    never, in_time, late = (EscrowView(funded_at=at) for at in (0, FUND_BY - 1, FUND_BY))
    reached: dict[EscrowView, set[OrderStatus]] = {}
    for life in lives(Life(S.PENDING, never)) | lives(Life(S.PENDING, in_time)):
        reached.setdefault(life.final, set()).add(life.status)
    assert len(reached) == 2 * 2 * 3, "in time or not, disputed or not, settled how or not"
    for final, statuses in reached.items():
        assert possible(final, FUND_BY) == statuses, final
    assert possible(late, FUND_BY) == possible(never, FUND_BY)
