"""From the chain's logs to each order: projections when seen, status when final."""

from collections.abc import Iterable
from typing import Any

from sqlmodel import Session, col, or_, select

from coordinator.db.chain import Log
from coordinator.db.columns import texts
from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order, OrderLogEntry
from coordinator.domain.escrows import ChainEvent, EscrowView, fold
from coordinator.domain.orders import ENDED, Actor, Event, OrderStatus
from coordinator.domain.platform import Platform
from coordinator.services import clock, disputes
from coordinator.services.order_log import load_heads, record
from coordinator.services.orders import begin_payment, by_ad, lock_all


def refresh_all(
    session: Session, platform: Platform, order_ids: Iterable[str], final_number: int, now: int
) -> None:
    """Bring orders up to their logs: projections as seen, status as final.

    All are locked first, in the order in which every writer locks; their ads after them.
    """
    ids = sorted(set(order_ids))
    orders = lock_all(session, ids)
    escrows = session.exec(select(Escrow).where(col(Escrow.order_id) == texts(ids))).all()
    by_id = {escrow.order_id: escrow for escrow in escrows}
    events = events_of(session, orders)
    load_heads(session, ids)
    for order in by_ad(orders):
        refresh(session, platform, order, by_id[order.id], events[order.id], final_number, now)
    session.flush()


def refresh(
    session: Session,
    platform: Platform,
    order: Order,
    escrow: Escrow,
    events: list[ChainEvent],
    final_number: int,
    now: int,
) -> None:
    """Project one order's events, then let what is final change its status."""
    was_disputed = escrow.final_disputed_at != 0
    final = project(escrow, order, events, final_number)
    newly_disputed = final.disputed_at != 0 and not was_disputed
    disputes.watch(session, platform, order, escrow, now)
    time = max(now, clock.final_now(session, platform.domain.chain_id))
    begin_payment(session, order, escrow, now, time)
    if newly_disputed and OrderStatus(order.status) is not OrderStatus.COMPLETED:
        record(session, order, Event.DISPUTED, Actor.CHAIN, "a dispute is open on chain", now)
    end(session, order, final, now)


def events_of(session: Session, orders: list[Order]) -> dict[str, list[ChainEvent]]:
    """The canonical events of each order, in chain order."""
    vaults = {order.id: order.vault for order in orders}
    mine = or_(col(Log.order_id) == texts(vaults), col(Log.into_order_id) == texts(vaults))
    # Columns, not objects: of a long history that is half the time.
    rows = session.execute(
        select(Log.__table__)  # type: ignore[attr-defined]
        .where(mine, col(Log.orphaned).is_(False))
        .order_by(col(Log.block_number), col(Log.log_index))
    ).all()
    events: dict[str, list[ChainEvent]] = {order_id: [] for order_id in vaults}
    for log in rows:
        for order_id in (log.order_id, log.into_order_id):
            if order_id in vaults:
                events[order_id].append(event_of(log, vaults[order_id]))
    return events


def event_of(log: Any, vault: str) -> ChainEvent:
    """Of a row of the table of logs."""
    name, units = log.name, int(log.decoded.get("units", 0))
    if name == "Transfer":
        name = "Deposit" if log.decoded["to"] == vault else "Withdrawal"
    return ChainEvent(name, units, log.block_time, log.block_number, log.tx_hash, log.address)


def project(
    escrow: Escrow, order: Order, events: list[ChainEvent], final_number: int
) -> EscrowView:
    """Write what an order's events add up to, as seen and as final. Returns what is final."""
    seen = fold(events, order.token, order.amount_units)
    sure = [event for event in events if event.block_number <= final_number]
    final = fold(sure, order.token, order.amount_units)
    escrow.seen_units = seen.balance_units
    escrow.final_units = final.balance_units
    escrow.wrong_token = seen.wrong_token
    escrow.funded_at = seen.funded_at
    escrow.refund_requested_at = seen.refund_requested_at
    escrow.disputed_at = seen.disputed_at
    escrow.settled_tx = seen.settled_tx
    escrow.final_funded_at = final.funded_at
    escrow.final_refund_requested_at = final.refund_requested_at
    escrow.final_disputed_at = final.disputed_at
    escrow.final_settled_tx = final.settled_tx
    escrow.changed_number = max((event.block_number for event in sure), default=0)
    return final


def end(session: Session, order: Order, final: EscrowView, now: int) -> None:
    """A final settlement ends the order, whoever sent it."""
    status = OrderStatus(order.status)
    done = status in ENDED and order_ended_on_chain(session, order)
    if not final.settled or done:
        return
    units = final.to_buyer_units or 0
    event = Event.PAID_OUT if units > 0 else Event.REFUNDED
    reason = f"{units} of {order.amount_units} units went to the buyer"
    record(session, order, event, Actor.CHAIN, reason, now,
           {"tx_hash": final.settled_tx, "to_buyer_units": str(units)})  # fmt: skip


def order_ended_on_chain(session: Session, order: Order) -> bool:
    return (
        session.exec(
            select(OrderLogEntry.seq).where(
                OrderLogEntry.order_id == order.id,
                col(OrderLogEntry.event).in_([Event.PAID_OUT, Event.REFUNDED]),
            )
        ).first()
        is not None
    )
