"""Posting final token movements, and reading balances."""

from sqlmodel import Session, col, func, select

from coordinator.db.chain import Log
from coordinator.db.ledger import LedgerEntry
from coordinator.db.orders import Order
from coordinator.domain.ledger import transfer_postings


def post_final(session: Session, chain_id: int, final_number: int) -> int:
    """Post every final, canonical transfer that was not posted yet; the number of them."""
    logs = session.exec(
        select(Log)
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
    for log in logs:
        post(session, log)
    return len(logs)


def post(session: Session, log: Log) -> None:
    """Write one transfer's two legs, which sum to zero."""
    sender, recipient = log.decoded["from"], log.decoded["to"]
    rows = session.exec(
        select(Order.vault, Order.id).where(col(Order.vault).in_([sender, recipient]))
    ).all()
    postings = transfer_postings(
        log.address, sender, recipient, int(log.decoded["units"]), dict(rows)
    )
    for leg, posting in enumerate(postings):
        session.add(LedgerEntry(log_id=log.id or 0, leg=leg, **vars(posting)))
    log.posted = True


def balance(session: Session, account: str, token: str) -> int:
    """Sum of an account's postings, in the token's smallest unit."""
    total = session.exec(
        select(func.coalesce(func.sum(LedgerEntry.units), 0)).where(
            LedgerEntry.account == account, LedgerEntry.token == token
        )
    ).one()
    return int(total)
