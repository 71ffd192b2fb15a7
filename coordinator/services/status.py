"""How the coordinator stands, by its books: for the operator, readiness and metrics.

Every query is bounded: lists by the constants below, time by QUERY_TIMEOUT.
"""

from collections import Counter
from dataclasses import dataclass

import sqlalchemy
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from coordinator.db.chain import Cursor
from coordinator.db.escrows import Escrow
from coordinator.db.intents import Intent, Slot
from coordinator.db.node_health import NodeHealth
from coordinator.db.orders import Order
from coordinator.db.settlements import Settlement, SettlementSignature
from coordinator.domain.health import (
    STUCK_AFTER_SECONDS,
    Fault,
    chain_faults,
    differing_fault,
    found,
    node_fault,
    stuck_fault,
    waits_for,
)
from coordinator.domain.orders import OrderStatus
from coordinator.services import node_health, sender_keys

QUERY_TIMEOUT = "5s"
MAX_STUCK_SHOWN = 20
MAX_DIFFERING_SHOWN = 20
# What must leave this state soon. Mined ones wait for finality, which may take its time.
UNSENT = ("pending", "sent")
UNDONE = ("collecting", "cosigning", "ready")


@dataclass(frozen=True)
class StuckIntent:
    key: str
    order_id: str
    status: str
    age_seconds: int
    reason: str | None


@dataclass(frozen=True)
class Status:
    """One chain's part of the books. Counts are by status; `waiting` by whose turn it is."""

    chain_id: int
    cursor: Cursor | None
    nodes: list[NodeHealth]
    intents: dict[str, int]
    oldest_intent_seconds: int
    stuck_count: int
    stuck: list[StuckIntent]
    gas_saved_of_day: int
    senders: list[str]
    orders: dict[str, int]
    settlements: dict[str, int]
    waiting: dict[str, int]
    differing: list[str]


def read(session: Session, chain_id: int, now: int) -> Status:
    session.connection().execute(text(f"set local statement_timeout = '{QUERY_TIMEOUT}'"))
    waiting, settlements = waiting_settlements(session, chain_id)
    oldest = oldest_intent(session, chain_id)
    return Status(
        chain_id=chain_id,
        cursor=session.get(Cursor, chain_id),
        nodes=node_health.read(session, chain_id),
        intents=intents_by_status(session, chain_id),
        oldest_intent_seconds=max(0, now - oldest) if oldest is not None else 0,
        stuck_count=stuck_count(session, chain_id, now),
        stuck=stuck(session, chain_id, now),
        gas_saved_of_day=sender_keys.gas_saved_of_day(session, chain_id, now),
        senders=senders(session, chain_id),
        orders=orders_by_status(session, chain_id),
        settlements=settlements,
        waiting=waiting,
        differing=differing(session, chain_id),
    )


def faults(status: Status, now: int, max_lag_seconds: int) -> list[Fault]:
    """What the books say is wrong."""
    cursor = status.cursor
    return [
        *chain_faults(
            status.chain_id,
            cursor.time if cursor else None,
            cursor.halted if cursor else None,
            now,
            max_lag_seconds,
        ),
        *found(node_fault(node.name, node.state, node.reason) for node in status.nodes),
        *found([stuck_fault(status.stuck_count), differing_fault(status.differing)]),
    ]


def orders_by_status(session: Session, chain_id: int) -> dict[str, int]:
    """Every status, with 0 where there is none."""
    mine = select(Order.status, func.count()).where(Order.chain_id == chain_id)
    rows = session.exec(mine.group_by(Order.status)).all()
    return {str(status): 0 for status in OrderStatus} | dict(rows)


def intents_by_status(session: Session, chain_id: int) -> dict[str, int]:
    """Those under way; what is final or dropped is history."""
    rows = session.exec(
        select(Intent.status, func.count())
        .where(Intent.chain_id == chain_id, col(Intent.status).in_([*UNSENT, "mined"]))
        .group_by(Intent.status)
    ).all()
    return dict.fromkeys([*UNSENT, "mined"], 0) | dict(rows)


def oldest_intent(session: Session, chain_id: int) -> int | None:
    """When the oldest unsent intent was written, in Unix seconds."""
    return session.exec(
        select(func.min(Intent.created_at)).where(
            Intent.chain_id == chain_id, col(Intent.status).in_(UNSENT)
        )
    ).one()


def stuck_count(session: Session, chain_id: int, now: int) -> int:
    return session.exec(
        select(func.count()).where(
            Intent.chain_id == chain_id,
            col(Intent.status).in_(UNSENT),
            Intent.created_at < now - STUCK_AFTER_SECONDS,
        )
    ).one()


def stuck(session: Session, chain_id: int, now: int) -> list[StuckIntent]:
    """The oldest of them."""
    rows = session.exec(
        select(Intent)
        .where(
            Intent.chain_id == chain_id,
            col(Intent.status).in_(UNSENT),
            Intent.created_at < now - STUCK_AFTER_SECONDS,
        )
        .order_by(col(Intent.created_at), col(Intent.id))
        .limit(MAX_STUCK_SHOWN)
    ).all()
    return [StuckIntent(i.key, i.order_id, i.status, now - i.created_at, i.reason) for i in rows]


def differing(session: Session, chain_id: int) -> list[str]:
    """Ids of orders whose vault holds something else than the books say."""
    query = select(Escrow.order_id).join(Order, col(Order.id) == col(Escrow.order_id))
    mine = query.where(Order.chain_id == chain_id, col(Escrow.difference).is_not(None))
    return list(session.exec(mine.order_by(Escrow.order_id).limit(MAX_DIFFERING_SHOWN)).all())


def senders(session: Session, chain_id: int) -> list[str]:
    """Addresses of the gas-paying keys that have worked."""
    sent = select(Slot.sender).where(Slot.chain_id == chain_id).distinct()
    known = {key.address for key in sender_keys.read(session, chain_id)}
    return sorted(known | set(session.exec(sent).all()))


def waiting_settlements(session: Session, chain_id: int) -> tuple[dict[str, int], dict[str, int]]:
    """Settlements that are not on chain yet: (by whose turn it is, by status)."""
    roles = (
        select(
            Settlement.status,
            Order.status.label("order_status"),  # type: ignore[attr-defined]
            func.coalesce(func.sum(func.power(2, SettlementSignature.role)), 0).label("roles"),
        )
        .join(Order, col(Order.id) == col(Settlement.order_id))
        .join(Escrow, col(Escrow.order_id) == col(Settlement.order_id))
        .join(
            SettlementSignature,
            col(SettlementSignature.settlement_id) == col(Settlement.id),
            isouter=True,
        )
        .where(
            Order.chain_id == chain_id,
            col(Settlement.status).in_(UNDONE),
            Escrow.settled_tx == "",
        )
        .group_by(col(Settlement.id), col(Order.id))
        .subquery()
    )
    totals = sqlalchemy.select(*roles.c, func.count()).group_by(*roles.c)
    rows = session.connection().execute(totals).all()
    turns: Counter[str] = Counter()
    statuses: Counter[str] = Counter(dict.fromkeys(UNDONE, 0))
    for status, order_status, signed, count in map(tuple, rows):
        turns[waits_for(status, int(signed), order_status == OrderStatus.DISPUTED)] += count
        statuses[status] += count
    return dict(turns), dict(statuses)
