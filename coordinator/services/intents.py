"""Writing down a transaction to be sent. Nothing is sent here."""

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col

from coordinator.db.intents import Intent
from coordinator.domain.platform import Platform


def enqueue(
    session: Session, platform: Platform, key: str, order_id: str, data: bytes, now: int
) -> bool:
    """Intend a call of the escrow, once per key; False if it is intended already.

    An obsolete intent never got a nonce: the chain refused it then, and it may be wanted again.
    """
    values = {
        "key": key,
        "chain_id": platform.domain.chain_id,
        "order_id": order_id,
        "to": platform.domain.escrow,
        "data": "0x" + data.hex(),
        "status": "pending",
        "created_at": now,
    }
    statement = (
        insert(Intent)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"status": "pending", "reason": None, "created_at": now},
            where=col(Intent.status) == "obsolete",
        )
        .returning(col(Intent.id))
    )
    return session.connection().execute(statement).first() is not None
