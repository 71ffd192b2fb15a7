"""From the chain's logs to each order: projections when seen, status when final."""

from collections.abc import Iterable

from otc_sdk.terms import Terms
from sqlmodel import Session, col, select

from coordinator.db.chain import Log
from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order, OrderLogEntry
from coordinator.domain.escrows import ChainEvent, EscrowView, fold
from coordinator.domain.orders import ENDED, Actor, Event, OrderStatus
from coordinator.domain.platform import Platform
from coordinator.services import clock, disputes
from coordinator.services.order_log import record
from coordinator.services.orders import begin_payment, lock


def refresh_all(
    session: Session, platform: Platform, order_ids: Iterable[str], final_number: int, now: int
) -> None:
    """Bring orders up to their logs, each under its lock, in one order for all writers."""
    for order_id in sorted(set(order_ids)):
        refresh(session, platform, order_id, final_number, now)


def refresh(
    session: Session, platform: Platform, order_id: str, final_number: int, now: int
) -> None:
    """Project one order's logs, then let what is final change its status."""
    order = lock(session, order_id)
    logs = session.exec(
        select(Log)
        .where(Log.order_id == order_id, col(Log.orphaned).is_(False))
        .order_by(col(Log.block_number), col(Log.log_index))
    ).all()
    events = [event_of(log, order.vault) for log in logs]
    seen = fold(events, order.token, order.amount_units)
    final = fold(
        (e for e in events if e.block_number <= final_number), order.token, order.amount_units
    )
    escrow = session.get_one(Escrow, order_id)
    newly_disputed = final.disputed_at != 0 and escrow.final_disputed_at == 0
    write(escrow, seen, final)
    session.flush()
    disputes.watch(session, platform, order, escrow, now)
    time = max(now, clock.chain_now(session, platform.domain.chain_id))
    begin_payment(session, order, escrow, now, time)
    if newly_disputed and OrderStatus(order.status) is not OrderStatus.COMPLETED:
        record(session, order, Event.DISPUTED, Actor.CHAIN, "a dispute is open on chain", now)
    end(session, order, final, now)


def event_of(log: Log, vault: str) -> ChainEvent:
    name, units = log.name, int(log.decoded.get("units", 0))
    if name == "Transfer":
        name = "Deposit" if log.decoded["to"] == vault else "Withdrawal"
    return ChainEvent(name, units, log.block_time, log.block_number, log.tx_hash, log.address)


def write(escrow: Escrow, seen: EscrowView, final: EscrowView) -> None:
    escrow.seen_units = seen.balance_units
    escrow.final_units = final.balance_units
    escrow.wrong_token = seen.wrong_token
    escrow.funded_at = seen.funded_at
    escrow.refund_requested_at = seen.refund_requested_at
    escrow.disputed_at = seen.disputed_at
    escrow.settled_tx = seen.settled_tx
    escrow.final_funded_at = final.funded_at
    escrow.final_disputed_at = final.disputed_at
    escrow.final_settled_tx = final.settled_tx


def end(session: Session, order: Order, final: EscrowView, now: int) -> None:
    """A final settlement ends the order, whoever sent it."""
    status = OrderStatus(order.status)
    done = status in ENDED and order_ended_on_chain(session, order)
    if not final.settled or done:
        return
    units = final.to_buyer_units or 0
    event = Event.PAID_OUT if units > 0 else Event.REFUNDED
    terms = Terms.from_dict(order.terms)
    reason = f"{units} of {terms.amount_units} units went to the buyer"
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
