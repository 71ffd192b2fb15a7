"""Changing an order's status: compare-and-set and log entry in one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm.attributes import flag_modified
from sqlmodel import Session, col, func, select, tuple_

from coordinator.db.columns import texts
from coordinator.db.orders import Order, OrderLogEntry
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
    """Apply an event to a locked order. Raises Conflict if the table says no.

    The version in the row's update is the compare-and-set; db.session says what comes of a loss.
    """
    before = OrderStatus(order.status)
    after = next_status(before, event, actor)
    order.status = after
    flag_modified(order, "status")  # also where it stays the same: each event counts
    if after in GIVING_BACK and not gave_back(session, order.id):
        give_back(session, order.ad_id, order.amount_units)
    append(session, order.id, event, actor, before, after, reason, now, data or {})


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
    if order_id not in heads_of(session):
        load_heads(session, [order_id])
    seq, prev_hash = heads_of(session)[order_id]
    entry = Entry(
        order_id=order_id,
        seq=seq + 1,
        at=now,
        actor=actor,
        event=event,
        from_status=before,
        to_status=after,
        reason=reason[:MAX_REASON_CHARS],
        data=data,
        prev_hash=prev_hash,
    )
    made = entry_hash(entry)
    session.add(OrderLogEntry(**vars(entry), hash=made))
    heads_of(session)[order_id] = (entry.seq, made)


def heads_of(session: Session) -> dict[str, tuple[int, str]]:
    """(seq, hash) of the newest entry of orders whose lock this transaction holds."""
    heads: dict[str, tuple[int, str]] = session.info.setdefault("order_log_heads", {})
    return heads


def load_heads(session: Session, order_ids: Sequence[str]) -> None:
    """Read the heads of many orders at once; the caller holds their locks."""
    rows = session.exec(
        select(OrderLogEntry.order_id, OrderLogEntry.seq, OrderLogEntry.hash).where(
            newest(order_ids)
        )
    ).all()
    heads_of(session).update(dict.fromkeys(order_ids, (0, GENESIS)))
    heads_of(session).update({order_id: (seq, entry) for order_id, seq, entry in rows})


def newest(order_ids: Sequence[str]) -> Any:
    """The condition for the newest entry of each order."""
    seqs = (
        select(OrderLogEntry.order_id, func.max(OrderLogEntry.seq))
        .where(col(OrderLogEntry.order_id) == texts(order_ids))
        .group_by(col(OrderLogEntry.order_id))
    )
    return tuple_(col(OrderLogEntry.order_id), col(OrderLogEntry.seq)).in_(seqs)


def statuses(session: Session, order_ids: Sequence[str]) -> dict[str, str]:
    """The status in which each order's log leaves it."""
    query = select(OrderLogEntry.order_id, OrderLogEntry.to_status).where(newest(order_ids))
    return dict(session.exec(query).all())


def read(session: Session, order_id: str) -> list[OrderLogEntry]:
    """The log in order. Raises InvariantBroken if its chain of hashes is broken."""
    rows = session.exec(
        select(OrderLogEntry)
        .where(OrderLogEntry.order_id == order_id)
        .order_by(col(OrderLogEntry.seq))
    ).all()
    require_whole((Entry(**row.model_dump(exclude={"hash"})), row.hash) for row in rows)
    return list(rows)
