"""Halting a chain: nothing that cannot be undone is done on it until an operator has looked."""

from sqlmodel import Session, col, select

from coordinator.db.chain import Cursor
from coordinator.db.halts import MAX_REASON_CHARS, ChainHalt
from coordinator.domain.errors import Conflict, Invalid, NotFound
from coordinator.services.ports import ChainHalted


def halt(session: Session, chain_id: int, reason: str) -> None:
    """Stop a chain. Of one that is halted already, the first reason stays."""
    cursor = lock_cursor(session, chain_id)
    if cursor.halted is None:
        cursor.halted = require_reason(reason)
        note(session, chain_id, "halted", reason)


def resume(session: Session, chain_id: int, why: str) -> None:
    """Let a chain go on. Raises Conflict if it is not halted, Invalid without a reason."""
    cursor = lock_cursor(session, chain_id)
    if cursor.halted is None:
        raise Conflict("not_halted", f"chain {chain_id} is not halted")
    require_reason(why)
    cursor.halted = None
    note(session, chain_id, "resumed", why)


def lock_cursor(session: Session, chain_id: int) -> Cursor:
    cursor = session.get(Cursor, chain_id, with_for_update=True, populate_existing=True)
    if cursor is None:
        raise NotFound("no_such_chain", f"chain {chain_id} was never read")
    return cursor


def require_reason(reason: str) -> str:
    if not reason.strip():
        raise Invalid("no_reason", "say why")
    return reason[:MAX_REASON_CHARS]


def note(session: Session, chain_id: int, event: str, reason: str) -> None:
    session.add(ChainHalt(chain_id=chain_id, event=event, reason=reason[:MAX_REASON_CHARS]))
    session.flush()


def halted(session: Session, chain_id: int) -> str | None:
    """Why the chain is halted, or None."""
    return session.exec(select(Cursor.halted).where(Cursor.chain_id == chain_id)).first()


def require_running(session: Session, chain_id: int) -> None:
    """Raises ChainHalted."""
    reason = halted(session, chain_id)
    if reason is not None:
        raise ChainHalted(f"chain {chain_id} is halted: {reason}")


def history(session: Session, chain_id: int, limit: int) -> list[ChainHalt]:
    """Newest first."""
    query = select(ChainHalt).where(ChainHalt.chain_id == chain_id)
    return list(session.exec(query.order_by(col(ChainHalt.id).desc()).limit(limit)).all())
