"""Comparing orders with the contract's state and their vaults' balances: logs are only hints."""

from dataclasses import dataclass

import structlog
from otc_sdk.policy import State
from sqlmodel import Session, and_, col, not_, or_, select

from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order
from coordinator.domain.orders import ENDED, OrderStatus
from coordinator.domain.platform import Platform
from coordinator.domain.reconciliation import Facts, difference
from coordinator.services import clock
from coordinator.services.chain import own_cursor
from coordinator.services.orders import begin_payment, lock

log = structlog.get_logger()
# How often an open order is compared although nothing happened.
EVERY_SECONDS = 300
# An ended order that was never settled may still receive tokens: so often, and for so long.
EVERY_ENDED_SECONDS = 86_400
ENDED_FOR_SECONDS = 30 * 86_400
# How soon one that differs is looked at again.
RETRY_SECONDS = 15


@dataclass(frozen=True)
class Target:
    """An order to compare; nothing happened at its vault before block `from_number`."""

    order_id: str
    vault: str
    token: str
    from_number: int


def due(session: Session, chain_id: int, now: int, limit: int) -> list[Target]:
    """Orders to compare with the chain: those whose buyers wait to be told to pay, others that
    changed, then the longest unchecked.

    A short deposit tells nobody to pay: dust in any number of vaults goes before nobody.
    """
    changed = col(Escrow.checked_number) < col(Escrow.changed_number)
    whole = col(Escrow.final_units) >= col(Order.amount_units)
    waiting = and_(changed, whole, Order.status == OrderStatus.PENDING)
    rested = or_(col(Escrow.difference).is_(None), col(Escrow.checked_at) <= now - RETRY_SECONDS)
    ended = col(Order.status).in_(list(ENDED))
    old = and_(not_(ended), col(Escrow.checked_at) <= now - EVERY_SECONDS)
    late = and_(
        ended,
        col(Escrow.final_settled_tx) == "",
        col(Escrow.checked_at) <= now - EVERY_ENDED_SECONDS,
        col(Order.created_at) > now - ENDED_FOR_SECONDS,
    )
    rows = session.exec(
        select(Order.id, Order.vault, Order.token, Escrow.from_number)
        .join(Escrow, col(Escrow.order_id) == col(Order.id))
        .where(Order.chain_id == chain_id, or_(and_(changed, rested), old, late))
        .order_by(waiting.desc(), changed.desc(), col(Escrow.checked_at))
        .limit(limit)
    ).all()
    return [Target(*row) for row in rows]


def record(
    session: Session,
    platform: Platform,
    epoch: int,
    order_id: str,
    number: int,
    chain: Facts,
    now: int,
) -> str | None:
    """Keep the outcome, and let a buyer pay whose deposit every node has seen.

    `chain` is what all nodes say of final block `number`. Returns the difference, if there is one;
    a comparison that the books have overtaken says nothing. Raises EpochLost.
    """
    cursor = own_cursor(session, platform.domain.chain_id, epoch)
    if cursor.final_number != number:
        return None
    order = lock(session, order_id)
    escrow = session.get_one(Escrow, order_id, with_for_update=True, populate_existing=True)
    found = difference(books_of(escrow), chain)
    if found is not None and found != escrow.difference:
        log.error("vault differs", order_id=order_id, block=number, difference=found)
    escrow.difference, escrow.checked_at = found, now
    if found is None:
        escrow.checked_number = number
        time = max(now, clock.final_now(session, platform.domain.chain_id))
        begin_payment(session, order, escrow, now, time)
    return found


def books_of(escrow: Escrow) -> Facts:
    """What the final logs add up to."""
    return Facts(
        balance_units=escrow.final_units,
        settled=escrow.final_settled_tx != "",
        state=State(escrow.final_refund_requested_at, escrow.final_disputed_at),
    )
