"""Writing down a transaction to be sent. Nothing is sent here."""

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session

from coordinator.db.intents import Intent
from coordinator.domain.platform import Platform


def enqueue(
    session: Session, platform: Platform, key: str, order_id: str, data: bytes, now: int
) -> bool:
    """Intend a call of the escrow, once per key; False if it was intended before."""
    values = {
        "key": key,
        "chain_id": platform.domain.chain_id,
        "order_id": order_id,
        "to": platform.domain.escrow,
        "data": "0x" + data.hex(),
        "status": "pending",
        "created_at": now,
    }
    statement = insert(Intent).values(**values).on_conflict_do_nothing(index_elements=["key"])
    return session.connection().execute(statement).rowcount == 1
