"""Sharing intents out among the keys: each is worked on by one key at a time."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, exists, not_, or_, select, update

from coordinator.db.chain import Cursor
from coordinator.db.intents import Intent

# After this, the intents of a key that died are anybody's; itself it takes them up at once.
CLAIM_SECONDS = 30
DISPUTE = "dispute:"
IS_DISPUTE = col(Intent.key).startswith(DISPUTE)


def is_dispute(intent: Intent) -> bool:
    return intent.key.startswith(DISPUTE)


def is_agreement(intent: Intent) -> bool:
    """A settlement that parties signed; not the split by default, which nobody need sign again."""
    return intent.key.startswith("settle:")


def due(chain_id: int, now: int) -> ColumnElement[bool]:
    """Pending intents whose time has come; of an order's settlements, one at a time.

    While the chain is halted only disputes are due: they defend somebody.
    """
    other = aliased(Intent)
    in_flight = exists().where(
        col(other.order_id) == col(Intent.order_id),
        col(other.status) == "sent",
        not_(col(other.key).startswith(DISPUTE)),
    )
    halted = exists().where(col(Cursor.chain_id) == chain_id, col(Cursor.halted).is_not(None))
    return and_(
        col(Intent.chain_id) == chain_id,
        col(Intent.status) == "pending",
        col(Intent.try_after) <= now,
        or_(IS_DISPUTE, and_(not_(in_flight), not_(halted))),
    )


def any_due(session: Session, chain_id: int, now: int) -> bool:
    return session.exec(select(Intent.id).where(due(chain_id, now)).limit(1)).first() is not None


def claim(
    session: Session, chain_id: int, key: str, now: int, limit: int, disputes: bool
) -> list[Intent]:
    """Give `key` up to `limit` disputes, or settlements, to work on until CLAIM_SECONDS from now.

    What was never tried goes before what failed.
    """
    free = or_(
        col(Intent.claimed_by).is_(None),
        col(Intent.claimed_by) == key,
        col(Intent.claimed_until) <= now,
    )
    wanted = and_(due(chain_id, now), free, IS_DISPUTE if disputes else not_(IS_DISPUTE))
    oldest = col(Intent.try_after), col(Intent.id)
    one_an_order = (
        select(Intent.id)
        .where(wanted)
        .ext(distinct_on(col(Intent.order_id)))
        .order_by(col(Intent.order_id), *oldest)
    )
    query = (
        select(Intent)
        .where(wanted, col(Intent.id).in_(one_an_order))
        .order_by(*oldest)
        .limit(limit)
        .with_for_update(skip_locked=True, of=Intent)
    )
    claimed = list(session.exec(query).all())
    for intent in claimed:
        intent.claimed_by, intent.claimed_until = key, now + CLAIM_SECONDS
    session.flush()
    return claimed


def release(session: Session, key: str, intents: Sequence[Intent]) -> None:
    """Let others work on what `key` claimed and did not send."""
    session.exec(
        update(Intent)
        .where(col(Intent.id).in_([intent.id for intent in intents]), col(Intent.claimed_by) == key)
        .values(claimed_by=None, claimed_until=0)
    )


def postpone(session: Session, intent_id: int, reason: str, until: int) -> None:
    """The call is refused for now: keep why, and look again at `until`. In flight, it goes on."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    if intent.status == "pending":
        intent.reason, intent.try_after = reason[:500], until
