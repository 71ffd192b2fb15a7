"""Changing an order's status: compare-and-set and log entry in one transaction."""

from typing import Any

from sqlmodel import Session, col, select, update

from coordinator.db.orders import Order, OrderLogEntry
from coordinator.domain.errors import Conflict
from coordinator.domain.order_log import GENESIS, Entry, entry_hash, require_whole
from coordinator.domain.orders import Actor, Event, OrderStatus, next_status
from coordinator.services.matching import give_back

MAX_REASON_CHARS = 500
# The ends in which the amount was not sold.
GIVING_BACK = (OrderStatus.CANCELLED, OrderStatus.EXPIRED)


def record(
    session: Session,
    order: Order,
    event: Event,
    actor: Actor,
    reason: str,
    now: int,
    data: dict[str, Any] | None = None,
) -> None:
    """Apply an event to a locked order. Raises Conflict if the table or the version says no."""
    before = OrderStatus(order.status)
    after = next_status(before, event, actor)
    changed = session.exec(
        update(Order)
        .where(col(Order.id) == order.id, col(Order.version) == order.version)
        .values(status=after, version=order.version + 1)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != 1:
        raise Conflict("changed_meanwhile", f"order {order.id} changed meanwhile; read it again")
    if after in GIVING_BACK and not gave_back(session, order.id):
        give_back(session, order.ad_id, order.amount_units)
    append(session, order.id, event, actor, before, after, reason, now, data or {})
    session.refresh(order)


def gave_back(session: Session, order_id: str) -> bool:
    """Whether the amount went back to its ad; the chain may bring an ended order to life again."""
    query = select(OrderLogEntry.seq).where(
        OrderLogEntry.order_id == order_id, col(OrderLogEntry.to_status).in_(GIVING_BACK)
    )
    return session.exec(query.limit(1)).first() is not None


def append(
    session: Session,
    order_id: str,
    event: str,
    actor: str,
    before: str,
    after: str,
    reason: str,
    now: int,
    data: dict[str, Any],
) -> None:
    """Add an entry to an order's log; the caller holds the order's lock."""
    last = session.exec(
        select(OrderLogEntry)
        .where(OrderLogEntry.order_id == order_id)
        .order_by(col(OrderLogEntry.seq).desc())
        .limit(1)
    ).first()
    entry = Entry(
        order_id=order_id,
        seq=last.seq + 1 if last else 1,
        at=now,
        actor=actor,
        event=event,
        from_status=before,
        to_status=after,
        reason=reason[:MAX_REASON_CHARS],
        data=data,
        prev_hash=last.hash if last else GENESIS,
    )
    session.add(OrderLogEntry(**vars(entry), hash=entry_hash(entry)))
    session.flush()


def read(session: Session, order_id: str) -> list[OrderLogEntry]:
    """The log in order. Raises InvariantBroken if its chain of hashes is broken."""
    rows = session.exec(
        select(OrderLogEntry)
        .where(OrderLogEntry.order_id == order_id)
        .order_by(col(OrderLogEntry.seq))
    ).all()
    require_whole((Entry(**row.model_dump(exclude={"hash"})), row.hash) for row in rows)
    return list(rows)
