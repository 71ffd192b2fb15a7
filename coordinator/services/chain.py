"""Taking blocks in: hashes, logs, projections, ledger, cursor and intents in one transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, or_, select, update

from coordinator.db.chain import Block, Cursor, Log
from coordinator.db.columns import numbers, texts
from coordinator.db.orders import Order
from coordinator.domain.chain_logs import Decoded, decode
from coordinator.domain.errors import InvariantBroken
from coordinator.domain.platform import Platform
from coordinator.services import ledger
from coordinator.services.escrows import refresh_all
from coordinator.services.ports import Header, NodesDisagree, RawLog

# Headers below the final block that are kept, for people who look into a reorg.
KEPT_BLOCKS = 10_000
# Anybody can send a token of their own to a vault, any number of times.
MAX_FOREIGN_LOGS_PER_ORDER = 20
Identity = tuple[str, int]
IDENTITY_COLUMNS = ("chain_id", "block_hash", "log_index")
KEPT_COLUMNS = (*IDENTITY_COLUMNS, "posted")


class EpochLost(Exception):
    """Another watcher has taken over this chain; this one must stop."""


def take_over(session: Session, chain_id: int) -> int | None:
    """Begin a new epoch of writing; None if nobody has written yet."""
    cursor = session.get(Cursor, chain_id, with_for_update=True)
    if cursor is None:
        return None
    cursor.epoch += 1
    return cursor.epoch


def start(session: Session, chain_id: int, first: Header) -> int:
    """Begin the first epoch, at a block."""
    number, block_hash, time = place(first)
    session.add(
        Cursor(
            chain_id=chain_id, epoch=1, number=number, hash=block_hash, time=time,
            final_number=number, final_hash=block_hash, final_time=time,
        )
    )  # fmt: skip
    return 1


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
    now: int,
) -> None:
    """Take in what one node says of the blocks that follow the cursor; it may vanish again."""
    chain_id = platform.domain.chain_id
    cursor = own_cursor(session, chain_id, epoch)
    for header in headers:
        keep_header(session, chain_id, header)
    times = {header.hash: header.time for header in headers}
    kept = keep_logs(session, platform, logs, times)
    cursor.number, cursor.hash, cursor.time = place(headers[-1])
    session.flush()
    refresh_all(session, platform, orders_of(kept.values()), cursor.final_number, now)


def finalize(
    session: Session,
    platform: Platform,
    epoch: int,
    last: Header,
    logs: Sequence[RawLog],
    times: dict[str, int],
    now: int,
) -> None:
    """What all nodes say of the blocks up to `last` replaces what was seen, and is final.

    Raises NodesDisagree if another block was read at that height.
    """
    chain_id = platform.domain.chain_id
    cursor = own_cursor(session, chain_id, epoch)
    read = known_hash(session, chain_id, last.number)
    if last.number <= cursor.number and read not in (None, last.hash):
        raise NodesDisagree(f"block {last.number} was read as {read} and is final as {last.hash}")
    first = cursor.final_number + 1
    touched = replace_logs(
        session, platform, [Log.block_number >= first, Log.block_number <= last.number], logs, times
    )
    keep_header(session, chain_id, last)
    cursor.final_number, cursor.final_hash, cursor.final_time = place(last)
    if cursor.number < last.number:
        cursor.number, cursor.hash, cursor.time = place(last)
    session.flush()
    refresh_all(session, platform, touched, last.number, now)
    ledger.post_final(session, chain_id, last.number)
    prune(session, chain_id, last.number - KEPT_BLOCKS)


def repair(
    session: Session,
    platform: Platform,
    epoch: int,
    order_id: str,
    logs: Sequence[RawLog],
    times: dict[str, int],
    now: int,
) -> None:
    """What all nodes say of one order up to the final block replaces what the books have of it."""
    chain_id = platform.domain.chain_id
    cursor = own_cursor(session, chain_id, epoch)
    of_order = or_(col(Log.order_id) == order_id, col(Log.into_order_id) == order_id)
    touched = replace_logs(
        session, platform, [of_order, Log.block_number <= cursor.final_number], logs, times
    )
    refresh_all(session, platform, {*touched, order_id}, cursor.final_number, now)
    ledger.post_final(session, chain_id, cursor.final_number)


def place(header: Header) -> tuple[int, str, int]:
    return header.number, header.hash, header.time


def keep_header(session: Session, chain_id: int, header: Header) -> None:
    values = {
        "chain_id": chain_id, "number": header.number, "hash": header.hash,
        "parent_hash": header.parent_hash, "time": header.time, "orphaned": False,
    }  # fmt: skip
    session.connection().execute(
        insert(Block)
        .values(**values)
        .on_conflict_do_update(index_elements=["chain_id", "hash"], set_={"orphaned": False})
    )


def prune(session: Session, chain_id: int, below: int) -> None:
    session.exec(delete(Block).where(col(Block.chain_id) == chain_id, col(Block.number) < below))


def replace_logs(
    session: Session,
    platform: Platform,
    where: list[Any],
    logs: Sequence[RawLog],
    times: dict[str, int],
) -> set[str]:
    """Keep these logs; orphan the others that `where` selects. Returns the orders concerned.

    Among them are those that a log named before, where it names others now.
    """
    mine = Log.chain_id == platform.domain.chain_id, col(Log.orphaned).is_(False)
    identity = col(Log.block_hash), col(Log.log_index)
    before = session.exec(select(Log.order_id, Log.into_order_id).where(*mine, *where)).all()
    kept = keep_logs(session, platform, logs, times)
    rows = session.exec(select(Log.id, Log.posted, *identity).where(*mine, *where)).all()
    untrue = [(log_id, posted) for log_id, posted, *place in rows if tuple(place) not in kept]
    for log_id, posted in untrue:
        if posted:
            raise InvariantBroken(f"log {log_id} is in the ledger and not on chain")
    if untrue:
        ids = numbers(log_id for log_id, _ in untrue)
        session.exec(update(Log).where(col(Log.id) == ids).values(orphaned=True))
    return orders_of(kept.values()) | orders_of(before)


def orders_of(pairs: Iterable[tuple[str, str | None]]) -> set[str]:
    return {order_id for pair in pairs for order_id in pair if order_id is not None}


def keep_logs(
    session: Session, platform: Platform, logs: Sequence[RawLog], times: dict[str, int]
) -> dict[Identity, tuple[str, str | None]]:
    """Store the logs that concern our orders; the order or two orders of each, by identity.

    The newest word on a log counts: one node may have said otherwise. What is posted stays.
    """
    rows = rows_of(session, platform, logs, times)
    if rows:
        statement = insert(Log)
        said = {name: statement.excluded[name] for name in rows[0] if name not in KEPT_COLUMNS}
        statement = statement.on_conflict_do_update(
            index_elements=IDENTITY_COLUMNS, set_=said, where=col(Log.posted).is_(False)
        )
        session.connection().execute(statement, rows)
    return {
        (row["block_hash"], row["log_index"]): (row["order_id"], row["into_order_id"])
        for row in rows
    }


def rows_of(
    session: Session, platform: Platform, logs: Sequence[RawLog], times: dict[str, int]
) -> list[dict[str, Any]]:
    """The rows that logs make: those that concern our orders. Nothing is written."""
    decoded = [
        (log, found)
        for log in logs
        if (found := decode(platform.domain.escrow, log.address, log.topics, log.data))
        and not found.empty
    ]
    ours = attribute(session, platform.domain.chain_id, decoded)
    ours = without_spam(session, platform, ours)
    return [
        {
            "chain_id": platform.domain.chain_id, "block_hash": log.block_hash,
            "block_number": log.block_number, "block_time": times[log.block_hash],
            "log_index": log.log_index, "tx_hash": log.tx_hash, "address": log.address,
            "topics": list(log.topics), "data": log.data, "name": found.name,
            "order_id": order_id, "into_order_id": into, "decoded": found.values,
            "orphaned": False, "posted": False,
        }
        for log, found, order_id, into in ours
    ]  # fmt: skip


Attributed = tuple[RawLog, Decoded, str, str | None]


def attribute(
    session: Session, chain_id: int, decoded: list[tuple[RawLog, Decoded]]
) -> list[Attributed]:
    """The logs that concern our orders, each with its order, and a second one if it is between two.

    The first of two is the payer's.
    """
    parties = {party for _, found in decoded for party in found.parties}
    ids = {found.order_id for _, found in decoded if found.order_id}
    rows = session.exec(
        select(Order.vault, Order.id).where(
            Order.chain_id == chain_id,
            or_(col(Order.vault) == texts(parties), col(Order.id) == texts(ids)),
        )
    ).all()
    by_vault, known = dict(rows), {order_id for _, order_id in rows}
    result: list[Attributed] = []
    for log, found in decoded:
        orders = [by_vault[party] for party in found.parties if party in by_vault]
        if found.order_id in known:
            orders = [found.order_id or ""]
        if orders:
            other = orders[1] if len(orders) > 1 and orders[1] != orders[0] else None
            result.append((log, found, orders[0], other))
    return result


def without_spam(session: Session, platform: Platform, ours: list[Attributed]) -> list[Attributed]:
    """All but the foreign tokens' transfers over MAX_FOREIGN_LOGS_PER_ORDER."""
    own = (platform.token, platform.domain.escrow)
    if all(log.address in own for log, *_ in ours):
        return ours
    orders = {order_id for log, _, order_id, _ in ours if log.address not in own}
    stored = session.exec(
        select(Log.order_id, Log.block_hash, Log.log_index).where(
            col(Log.order_id) == texts(orders), col(Log.address).not_in(own)
        )
    ).all()
    foreign: dict[str, set[Identity]] = {order_id: set() for order_id in orders}
    for order_id, block_hash, log_index in stored:
        foreign[order_id].add((block_hash, log_index))
    result = []
    for item in ours:
        log, _, order_id, _ = item
        if log.address not in own:
            kept = foreign[order_id]
            if len(kept | {(log.block_hash, log.log_index)}) > MAX_FOREIGN_LOGS_PER_ORDER:
                continue
            kept.add((log.block_hash, log.log_index))
        result.append(item)
    return result


def count_missing(
    session: Session, chain_id: int, first: int, last: int, logs: Sequence[RawLog]
) -> int:
    """How many logs the books have of these blocks that are not among `logs`."""
    said = {(log.block_hash, log.log_index) for log in logs}
    rows = session.exec(
        select(Log.block_hash, Log.log_index).where(
            Log.chain_id == chain_id,
            col(Log.block_number).between(first, last),
            col(Log.orphaned).is_(False),
        )
    ).all()
    return sum((block_hash, log_index) not in said for block_hash, log_index in rows)


def rewind(session: Session, platform: Platform, epoch: int, ancestor: Header, now: int) -> int:
    """Undo what was only seen above `ancestor`; rows stay, marked orphaned. Returns the depth.

    Raises InvariantBroken if final blocks would be undone.
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
    above = (col(Log.chain_id) == chain_id, col(Log.block_number) > ancestor.number)
    orphans = session.exec(select(Log.order_id, Log.into_order_id).where(*above)).all()
    session.exec(update(Log).where(*above).values(orphaned=True))
    cursor.number, cursor.hash, cursor.time = place(ancestor)
    session.flush()
    refresh_all(session, platform, orders_of(orphans), cursor.final_number, now)
    return depth


def known_hash(session: Session, chain_id: int, number: int) -> str | None:
    """Hash of the canonical block that was read at a height."""
    return session.exec(
        select(Block.hash).where(
            Block.chain_id == chain_id, Block.number == number, col(Block.orphaned).is_(False)
        )
    ).first()


def known_hashes(session: Session, chain_id: int, first: int, last: int) -> list[str]:
    """Hashes of the canonical blocks that were read from one height to another."""
    query = select(Block.hash).where(
        Block.chain_id == chain_id,
        col(Block.number).between(first, last),
        col(Block.orphaned).is_(False),
    )
    return list(session.exec(query.order_by(col(Block.number))).all())


def watched_vaults(session: Session, chain_id: int) -> list[str]:
    """Vaults of all orders, for range queries. Ended orders can still receive late tokens."""
    return list(session.exec(select(Order.vault).where(Order.chain_id == chain_id)).all())
