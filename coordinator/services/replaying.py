"""Rebuilding logs, projections and ledger from what the chain says, beside the books. Read only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from coordinator.db.chain import Log
from coordinator.db.columns import texts
from coordinator.db.escrows import Escrow
from coordinator.db.ledger import LedgerEntry
from coordinator.db.orders import Order
from coordinator.domain.escrows import EscrowView, fold
from coordinator.domain.platform import Platform
from coordinator.services import chain, ledger
from coordinator.services.escrows import event_of
from coordinator.services.ports import RawLog

ORDERS_AT_ONCE = 1000
# What identifies and describes a log; the rest is our own bookkeeping.
LOG_FIELDS = (
    "block_number", "block_time", "tx_hash", "address", "topics", "data", "name", "order_id",
    "into_order_id", "decoded",
)  # fmt: skip
Rows = dict[tuple[Any, ...], Any]


@dataclass(frozen=True)
class Difference:
    """Where the books and the chain differ. `kind` is log, projection or ledger."""

    kind: str
    where: str
    books: str
    chain: str


def compare(
    session: Session,
    platform: Platform,
    first: int,
    last: int,
    logs: Sequence[RawLog],
    times: dict[str, int],
) -> list[Difference]:
    """Logs, ledger and projections of final blocks `first` to `last` against the chain's logs.

    `times` are Unix seconds by block hash. Blocks before `first` are taken from the books.
    """
    rebuilt = [Log(**row) for row in chain.rows_of(session, platform, logs, times)]
    return [
        *differences("log", books_logs(session, platform, first, last), logs_by_id(rebuilt)),
        *differences(
            "ledger", books_ledger(session, platform, first, last), postings(session, rebuilt)
        ),
        *differences("projection", *projections(session, platform, first, rebuilt)),
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
    return {
        (log.block_number, log.log_index, log.block_hash): {n: getattr(log, n) for n in LOG_FIELDS}
        for log in logs
    }


def books_logs(session: Session, platform: Platform, first: int, last: int) -> Rows:
    return logs_by_id(session.exec(select(Log).where(*final_logs(platform, first, last))).all())


def final_logs(platform: Platform, first: int, last: int) -> tuple[Any, ...]:
    return (
        col(Log.chain_id) == platform.domain.chain_id,
        col(Log.orphaned).is_(False),
        col(Log.block_number).between(first, last),
    )


def books_ledger(session: Session, platform: Platform, first: int, last: int) -> Rows:
    rows = session.exec(
        select(Log, LedgerEntry)
        .join(LedgerEntry, col(LedgerEntry.log_id) == col(Log.id))
        .where(*final_logs(platform, first, last))
    ).all()
    return {
        (log.block_number, log.log_index, entry.leg): (entry.account, entry.token, entry.units)
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
        (log.block_number, log.log_index, leg["leg"]): (leg["account"], leg["token"], leg["units"])
        for log in transfers
        for leg in ledger.legs(None, log.address, log.decoded, vaults)
    }


def projections(
    session: Session, platform: Platform, first: int, rebuilt: Sequence[Log]
) -> tuple[Rows, Rows]:
    """(as in the books, as the logs add up to) of every order, by order and column."""
    books: Rows = {}
    chain_rows: Rows = {}
    query = select(Order.id).where(Order.chain_id == platform.domain.chain_id)
    order_ids = session.exec(query.order_by(Order.id)).all()
    for at in range(0, len(order_ids), ORDERS_AT_ONCE):
        ids = order_ids[at : at + ORDERS_AT_ONCE]
        before = session.exec(
            select(Log).where(
                col(Log.orphaned).is_(False),
                Log.block_number < first,
                (col(Log.order_id) == texts(ids)) | (col(Log.into_order_id) == texts(ids)),
            )
        ).all()
        events = by_order([*before, *rebuilt])
        rows = session.exec(
            select(Order, Escrow)
            .join(Escrow, col(Escrow.order_id) == col(Order.id))
            .where(col(Order.id) == texts(ids))
        ).all()
        for order, escrow in rows:
            mine = [event_of(log, order.vault) for log in events.get(order.id, [])]
            view = fold(mine, order.token, order.amount_units)
            books |= {(order.id, name): value for name, value in of_escrow(escrow).items()}
            chain_rows |= {(order.id, name): value for name, value in of_view(view).items()}
    return books, chain_rows


def by_order(logs: Iterable[Log]) -> dict[str, list[Log]]:
    """Logs of each order in chain order; one between two vaults is of both."""
    found: dict[str, list[Log]] = {}
    for log in sorted(logs, key=lambda log: (log.block_number, log.log_index)):
        for order_id in {log.order_id, log.into_order_id} - {None}:
            found.setdefault(order_id or "", []).append(log)
    return found


def of_escrow(escrow: Escrow) -> dict[str, int | str]:
    return {
        "units": escrow.final_units,
        "funded_at": escrow.final_funded_at,
        "refund_requested_at": escrow.final_refund_requested_at,
        "disputed_at": escrow.final_disputed_at,
        "settled_tx": escrow.final_settled_tx,
    }


def of_view(view: EscrowView) -> dict[str, int | str]:
    return {
        "units": view.balance_units,
        "funded_at": view.funded_at,
        "refund_requested_at": view.refund_requested_at,
        "disputed_at": view.disputed_at,
        "settled_tx": view.settled_tx,
    }
