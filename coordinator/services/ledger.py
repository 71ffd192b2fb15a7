"""Posting final token movements, and reading balances."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, func, select, update

from coordinator.db.chain import Log
from coordinator.db.columns import numbers, texts
from coordinator.db.ledger import LedgerEntry
from coordinator.db.orders import Order
from coordinator.domain.ledger import transfer_postings


def post_final(session: Session, chain_id: int, final_number: int) -> int:
    """Post every final, canonical transfer that was not posted yet; the number of them."""
    logs = session.exec(
        select(Log.id, Log.address, Log.decoded)
        .where(
            Log.chain_id == chain_id,
            col(Log.posted).is_(False),
            col(Log.orphaned).is_(False),
            Log.block_number <= final_number,
            Log.name == "Transfer",
        )
        .order_by(col(Log.block_number), col(Log.log_index))
        .with_for_update()
    ).all()
    if not logs:
        return 0
    parties = {decoded[side] for _, _, decoded in logs for side in ("from", "to")}
    vaults = dict(
        session.exec(select(Order.vault, Order.id).where(col(Order.vault) == texts(parties))).all()
    )
    rows = [row for log_id, token, decoded in logs for row in legs(log_id, token, decoded, vaults)]
    session.connection().execute(insert(LedgerEntry), rows)
    posted = [log_id for log_id, _, _ in logs]
    session.exec(update(Log).where(col(Log.id) == numbers(posted)).values(posted=True))
    return len(logs)


def legs(
    log_id: int | None, token: str, decoded: Mapping[str, Any], vaults: dict[str, str]
) -> list[dict[str, Any]]:
    """Rows of one transfer's two legs, which sum to zero."""
    postings = transfer_postings(
        token, decoded["from"], decoded["to"], int(decoded["units"]), vaults
    )
    return [{"log_id": log_id, "leg": leg, **vars(p)} for leg, p in enumerate(postings)]


def balance(session: Session, account: str, token: str) -> int:
    """Sum of an account's postings, in the token's smallest unit."""
    total = session.exec(
        select(func.coalesce(func.sum(LedgerEntry.units), 0)).where(
            LedgerEntry.account == account, LedgerEntry.token == token
        )
    ).one()
    return int(total)
