"""Writing down a transaction to be sent. Nothing is sent here."""

from collections.abc import Collection

from otc_sdk.roles import Role, bits
from sqlmodel import Session, col, or_, select

from coordinator.db.intents import REVERTED, Intent
from coordinator.db.wake import Channel, notify
from coordinator.domain.errors import Conflict
from coordinator.domain.platform import Platform

# How often one call may be intended anew after the chain refused or reverted it.
MAX_REPEATS = 50


def enqueue(
    session: Session,
    platform: Platform,
    key: str,
    order_id: str,
    data: bytes,
    now: int,
    contract_signers: Collection[Role] = (),
) -> bool:
    """Intend a call of the escrow, once per key; False if it is intended already.

    One that was dropped or reverted makes room for the next, with key `key#2` and so on. The
    caller holds the order's lock. Raises Conflict after MAX_REPEATS.
    """
    mine = or_(col(Intent.key) == key, col(Intent.key).startswith(f"{key}#", autoescape=True))
    before = session.exec(select(Intent).where(mine)).all()
    if any(i.status != "obsolete" and i.reason != REVERTED for i in before):
        return False
    if len(before) >= MAX_REPEATS:
        raise Conflict("refused_too_often", f"the chain refused {key} {MAX_REPEATS} times")
    session.add(
        Intent(
            key=f"{key}#{len(before) + 1}" if before else key,
            chain_id=platform.domain.chain_id,
            order_id=order_id,
            to=platform.domain.escrow,
            data="0x" + data.hex(),
            status="pending",
            created_at=now,
            contract_signers=bits(contract_signers),
        )
    )
    session.flush()
    notify(session, Channel.SENDER)
    return True
