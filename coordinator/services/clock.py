"""The time that counts: the final chain's, which stands still while the chain cannot be read.

The newest block's would be one node's word: it could end or begin any window.
"""

from sqlmodel import Session

from coordinator.db.chain import Cursor


def seen_now(session: Session, chain_id: int, now: int) -> int:
    """The newest block's, as far as our own clock agrees, and not before the newest final one's."""
    cursor = session.get(Cursor, chain_id)
    return max(cursor.final_time, min(cursor.time, now)) if cursor else 0


def final_now(session: Session, chain_id: int) -> int:
    """Unix seconds of the newest final block read; 0 before the first."""
    cursor = session.get(Cursor, chain_id)
    return cursor.final_time if cursor else 0


def final_number(session: Session, chain_id: int) -> int:
    """The newest final block read; 0 before the first."""
    cursor = session.get(Cursor, chain_id)
    return cursor.final_number if cursor else 0
