"""Taking blocks in: hashes, logs, projections, ledger, cursor and intents in one transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, or_, select, update

from coordinator.db.chain import Block, Cursor, Log
from coordinator.db.orders import Order
from coordinator.domain.chain_logs import decode
from coordinator.domain.errors import InvariantBroken
from coordinator.domain.platform import Platform
from coordinator.services import ledger
from coordinator.services.escrows import refresh_all
from coordinator.services.ports import Header, RawLog


class EpochLost(Exception):
    """Another watcher has taken over this chain; this one must stop."""


def take_over(session: Session, chain_id: int, start: Header) -> Cursor:
    """Begin a new epoch of writing; the cursor is made at `start` if there is none."""
    cursor = session.get(Cursor, chain_id, with_for_update=True)
    if cursor is None:
        cursor = Cursor(
            chain_id=chain_id,
            number=start.number,
            hash=start.hash,
            time=start.time,
            final_number=start.number,
            final_hash=start.hash,
            final_time=start.time,
            epoch=0,
        )
        session.add(cursor)
    cursor.epoch += 1
    session.flush()
    return cursor


def own_cursor(session: Session, chain_id: int, epoch: int) -> Cursor:
    """The cursor, locked for this writer. Raises EpochLost."""
    cursor = session.get_one(Cursor, chain_id, with_for_update=True)
    if cursor.epoch != epoch:
        raise EpochLost(f"chain {chain_id} is written by epoch {cursor.epoch}, not {epoch}")
    return cursor


def ingest(
    session: Session,
    platform: Platform,
    epoch: int,
    headers: Sequence[Header],
    logs: Sequence[RawLog],
    final: Header,
    now: int,
) -> None:
    """Take in blocks that follow the cursor, and what has become final.

    `headers` are consecutive, or the last one alone for a range that is final already.
    """
    chain_id = platform.domain.chain_id
    cursor = own_cursor(session, chain_id, epoch)
    for header in headers:
        keep_header(session, chain_id, header)
    times = {header.hash: header.time for header in headers}
    touched = keep_logs(session, platform, logs, times)
    if headers:
        last = headers[-1]
        cursor.number, cursor.hash, cursor.time = last.number, last.hash, last.time
    touched |= advance_final(session, cursor, final)
    session.flush()
    refresh_all(session, platform, touched, cursor.final_number, now)
    ledger.post_final(session, chain_id, cursor.final_number)


def keep_header(session: Session, chain_id: int, header: Header) -> None:
    values = {"chain_id": chain_id, "orphaned": False, **vars(header)}
    session.connection().execute(
        insert(Block)
        .values(**values)
        .on_conflict_do_update(index_elements=["chain_id", "hash"], set_={"orphaned": False})
    )


def keep_logs(
    session: Session, platform: Platform, logs: Sequence[RawLog], times: dict[str, int]
) -> set[str]:
    """Store the logs that concern our orders; return the ids of those orders."""
    decoded = [
        (log, found)
        for log in logs
        if (found := decode(platform.domain.escrow, log.address, log.topics, log.data))
    ]
    parties = {party for _, found in decoded for party in found.parties}
    ids = {found.order_id for _, found in decoded if found.order_id}
    rows = session.exec(
        select(Order.vault, Order.id).where(
            or_(col(Order.vault).in_(parties), col(Order.id).in_(ids))
        )
    ).all()
    by_vault, known = dict(rows), {order_id for _, order_id in rows}
    touched = set()
    for log, found in decoded:
        order_id = found.order_id or next(
            (by_vault[p] for p in found.parties if p in by_vault), None
        )
        if order_id in known:
            values = {**vars(log), "topics": list(log.topics), "block_time": times[log.block_hash]}
            keep_log(session, platform.domain.chain_id, order_id, found.name, found.values, values)
            touched.add(order_id)
    return touched


def keep_log(
    session: Session,
    chain_id: int,
    order_id: str,
    name: str,
    decoded: dict[str, Any],
    values: dict[str, Any],
) -> None:
    """Insert a log, or take it back from the orphans if its block returned."""
    session.connection().execute(
        insert(Log)
        .values(chain_id=chain_id, order_id=order_id, name=name, decoded=decoded,
                orphaned=False, posted=False, **values)
        .on_conflict_do_update(
            index_elements=["chain_id", "block_hash", "log_index"], set_={"orphaned": False}
        )
    )  # fmt: skip


def advance_final(session: Session, cursor: Cursor, final: Header) -> set[str]:
    """Move the final mark up to what was read; return the orders with newly final logs."""
    if final.number <= cursor.final_number or final.number > cursor.number:
        return set()
    before = cursor.final_number
    cursor.final_number, cursor.final_hash, cursor.final_time = (
        final.number, final.hash, final.time
    )  # fmt: skip
    rows = session.exec(
        select(Log.order_id)
        .where(
            Log.chain_id == cursor.chain_id,
            Log.block_number > before,
            Log.block_number <= final.number,
            col(Log.orphaned).is_(False),
        )
        .distinct()
    ).all()
    return {row for row in rows if row is not None}


def rewind(session: Session, platform: Platform, epoch: int, ancestor: Header, now: int) -> int:
    """Undo what was only seen above `ancestor`; rows stay, marked orphaned. Returns the depth.

    Raises InvariantBroken, and halts the chain, if final blocks would be undone.
    """
    chain_id = platform.domain.chain_id
    cursor = own_cursor(session, chain_id, epoch)
    if ancestor.number < cursor.final_number:
        raise InvariantBroken(
            f"chain {chain_id} differs below its final block {cursor.final_number}"
        )
    depth = cursor.number - ancestor.number
    session.exec(
        update(Block)
        .where(col(Block.chain_id) == chain_id, col(Block.number) > ancestor.number)
        .values(orphaned=True)
    )
    orphans = session.exec(
        select(Log.order_id).where(Log.chain_id == chain_id, Log.block_number > ancestor.number)
    ).all()
    session.exec(
        update(Log)
        .where(col(Log.chain_id) == chain_id, col(Log.block_number) > ancestor.number)
        .values(orphaned=True)
    )
    cursor.number, cursor.hash, cursor.time = ancestor.number, ancestor.hash, ancestor.time
    session.flush()
    refresh_all(session, platform, {o for o in orphans if o}, cursor.final_number, now)
    return depth


def known_hash(session: Session, chain_id: int, number: int) -> str | None:
    """Hash of the canonical block that was read at a height."""
    return session.exec(
        select(Block.hash).where(
            Block.chain_id == chain_id, Block.number == number, col(Block.orphaned).is_(False)
        )
    ).first()


def halt(session: Session, chain_id: int, reason: str) -> None:
    """Stop reading a chain until an operator has looked."""
    session.get_one(Cursor, chain_id, with_for_update=True).halted = reason[:500]


def watched_vaults(session: Session) -> list[str]:
    """Vaults of all orders, for range queries. Ended orders can still receive late tokens."""
    return list(session.exec(select(Order.vault)).all())
