"""Stopping all co-signing at once: by a row of the database, or a file of the co-signer's machine.

Two places, because either may be what an attacker holds. One of them is enough to stop.
"""

from collections.abc import Callable

from sqlalchemy import Engine, text
from sqlmodel import Session, col, select

from coordinator.db.cosigning import CosignerSwitch
from coordinator.db.session import transaction
from coordinator.domain.errors import Conflict, Invalid, Later

MAX_WHY_CHARS = 500
# Held while a signature is made.
COSIGNER_LOCK = 0x07C5C4

# Why this machine's own switch is off, None if it is not.
LocalStop = Callable[[], str | None]


def lock(session: Session) -> None:
    """One signature at a time, and none while the switch is turned."""
    session.connection().execute(text(f"select pg_advisory_xact_lock({COSIGNER_LOCK})"))


def stopped(session: Session, local_stop: LocalStop) -> str | None:
    """Why nothing is signed now; None if it is."""
    here = local_stop()
    if here is not None:
        return f"on this machine: {here}"
    last = newest(session)
    return f"{last.why} ({last.by})" if last is not None and last.stopped else None


def require_running(session: Session, local_stop: LocalStop) -> None:
    """Raise Later while it is stopped."""
    why = stopped(session, local_stop)
    if why is not None:
        raise Later("cosign_stopped", f"co-signing is stopped: {why}")


def require_reason(why: str) -> str:
    """Raise Invalid unless a person said why."""
    why = why.strip()
    if not 0 < len(why) <= MAX_WHY_CHARS or "\x00" in why:
        raise Invalid("why", f"a reason of 1 to {MAX_WHY_CHARS} characters is needed")
    return why


def newest(session: Session) -> CosignerSwitch | None:
    return session.exec(
        select(CosignerSwitch).order_by(col(CosignerSwitch.id).desc()).limit(1)
    ).first()


def turn(engine: Engine, stop: bool, why: str, by: str, now: int) -> None:
    """Stop or resume. When it returns after a stop, no signature is under way any more.

    Raises Invalid without a reason, Conflict if that is how it stands.
    """
    why = require_reason(why)
    with transaction(engine) as session:
        last = newest(session)
        if (last is not None and last.stopped) == stop:
            raise Conflict("no_change", f"the co-signer is {'' if stop else 'not '}stopped already")
        session.add(CosignerSwitch(stopped=stop, why=why, by=by[:200], at=now))
    with transaction(engine) as session:
        lock(session)
