"""Rebuilding logs, projections and ledger from what the chain says, beside the books. Read only."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, or_, select

from coordinator.db.chain import Log
from coordinator.db.columns import texts
from coordinator.db.escrows import Escrow
from coordinator.db.ledger import LedgerEntry
from coordinator.db.orders import Order
from coordinator.domain.orders import possible
from coordinator.domain.platform import Platform
from coordinator.services import chain, ledger, order_log
from coordinator.services.escrows import event_of, project
from coordinator.services.ports import RawLog

ORDERS_AT_ONCE = 1000
# What identifies and describes a log; the rest is our own bookkeeping.
LOG_FIELDS = (
    "block_number", "block_time", "tx_hash", "address", "topics", "data", "name", "order_id",
    "into_order_id", "decoded",
)  # fmt: skip
# Of a projection: when and from where it is compared with the contract, which no log says.
OWN_COLUMNS = {"order_id", "from_number", "checked_number", "checked_at", "difference"}
PROJECTED = tuple(name for name in Escrow.model_fields if name not in OWN_COLUMNS)
Rows = dict[tuple[Any, ...], Any]


@dataclass(frozen=True)
class Difference:
    """Where the books and the chain differ. `kind` is log, ledger, projection or order."""

    kind: str
    where: str
    books: str
    chain: str


@dataclass(frozen=True)
class Span:
    """The blocks that were read again: `first` to `last` are final, those to `seen` are not yet."""

    first: int
    last: int
    seen: int


def compare(
    session: Session,
    platform: Platform,
    span: Span,
    logs: Sequence[RawLog],
    times: dict[str, int],
) -> list[Difference]:
    """The books against the chain's logs of these blocks; other blocks are as the books have them.

    `times` are Unix seconds by block hash.
    """
    rebuilt = [Log(**row) for row in chain.rows_of(session, platform, logs, times)]
    final = [log for log in rebuilt if log.block_number <= span.last]
    return [
        *differences("log", books_logs(session, platform, span), logs_by_id(rebuilt)),
        *differences("ledger", books_ledger(session, platform, span), postings(session, final)),
        *orders(session, platform, span, rebuilt),
    ]


def differences(kind: str, books: Rows, chain_rows: Rows) -> list[Difference]:
    """What is on one side only, or other than on the other."""
    return [
        Difference(kind, " ".join(map(str, key)), words(books.get(key)), words(chain_rows.get(key)))
        for key in sorted(books.keys() | chain_rows.keys())
        if books.get(key) != chain_rows.get(key)
    ]


def words(found: Any) -> str:
    return "nothing" if found is None else str(found)


def logs_by_id(logs: Iterable[Log]) -> Rows:
    return {(*place(log), log.block_hash): {n: getattr(log, n) for n in LOG_FIELDS} for log in logs}


def books_logs(session: Session, platform: Platform, span: Span) -> Rows:
    query = select(Log).where(
        Log.chain_id == platform.domain.chain_id,
        col(Log.orphaned).is_(False),
        col(Log.block_number).between(span.first, span.seen),
    )
    return logs_by_id(session.exec(query).all())


def books_ledger(session: Session, platform: Platform, span: Span) -> Rows:
    """All postings, also of logs that must have none: orphaned ones, and those not final."""
    rows = session.exec(
        select(Log, LedgerEntry)
        .join(LedgerEntry, col(LedgerEntry.log_id) == col(Log.id))
        .where(Log.chain_id == platform.domain.chain_id, Log.block_number >= span.first)
    ).all()
    return {
        (*place(log), log.block_hash, entry.leg): (entry.account, entry.token, entry.units)
        for log, entry in rows
    }


def postings(session: Session, logs: Sequence[Log]) -> Rows:
    """What the ledger must hold for these logs."""
    transfers = [log for log in logs if log.name == "Transfer"]
    parties = {log.decoded[side] for log in transfers for side in ("from", "to")}
    vaults = dict(
        session.exec(select(Order.vault, Order.id).where(col(Order.vault) == texts(parties))).all()
    )
    return {
        (*place(log), log.block_hash, leg["leg"]): (leg["account"], leg["token"], leg["units"])
        for log in transfers
        for leg in ledger.legs(None, log.address, log.decoded, vaults)
    }


def orders(
    session: Session, platform: Platform, span: Span, rebuilt: Sequence[Log]
) -> Iterator[Difference]:
    """Of every order: its projection, seen and final, and its status."""
    again = by_order(rebuilt)
    query = select(Order.id).where(Order.chain_id == platform.domain.chain_id)
    order_ids = session.exec(query.order_by(Order.id)).all()
    for at in range(0, len(order_ids), ORDERS_AT_ONCE):
        ids = order_ids[at : at + ORDERS_AT_ONCE]
        kept, logged = by_order(other_logs(session, span, ids)), order_log.statuses(session, ids)
        rows = session.exec(
            select(Order, Escrow)
            .join(Escrow, col(Escrow.order_id) == col(Order.id), isouter=True)
            .where(col(Order.id) == texts(ids))
            .order_by(Order.id)
        ).all()
        for order, escrow in rows:
            logs = sorted([*kept.get(order.id, []), *again.get(order.id, [])], key=place)
            yield from of_order(order, escrow, logged.get(order.id), logs, span.last)


def other_logs(session: Session, span: Span, order_ids: Sequence[str]) -> Sequence[Log]:
    """What the books have of these orders in blocks that were not read again."""
    mine = or_(col(Log.order_id) == texts(order_ids), col(Log.into_order_id) == texts(order_ids))
    others = or_(Log.block_number < span.first, Log.block_number > span.seen)
    return session.exec(select(Log).where(mine, others, col(Log.orphaned).is_(False))).all()


def of_order(
    order: Order, escrow: Escrow | None, logged: str | None, logs: Sequence[Log], last: int
) -> Iterator[Difference]:
    rebuilt = Escrow(order_id=order.id, vault=order.vault, seen_units=0, final_units=0)
    final = project(rebuilt, order, [event_of(log, order.vault) for log in logs], last)
    if escrow is None:
        yield Difference("projection", order.id, words(None), str(columns(rebuilt)))
    else:
        yield from differences("projection", *(of(order, columns(e)) for e in (escrow, rebuilt)))
    allowed = possible(final, order.fund_by)
    says = order.status if logged == order.status else f"{order.status}, its log {words(logged)}"
    must = logged if logged in allowed else " or ".join(sorted(allowed))
    yield from differences("order", of(order, {"status": says}), of(order, {"status": must}))


def columns(escrow: Escrow) -> dict[str, Any]:
    """What the logs decide of a projection."""
    return {name: getattr(escrow, name) for name in PROJECTED}


def of(order: Order, values: dict[str, Any]) -> Rows:
    return {(order.id, name): value for name, value in values.items()}


def by_order(logs: Iterable[Log]) -> dict[str, list[Log]]:
    """Logs of each order; one between two vaults is of both."""
    found: dict[str, list[Log]] = {}
    for log in logs:
        for order_id in {log.order_id, log.into_order_id} - {None}:
            found.setdefault(order_id or "", []).append(log)
    return found


def place(log: Log) -> tuple[int, int]:
    """Its place in the chain."""
    return log.block_number, log.log_index
