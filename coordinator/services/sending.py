"""The books of the sender: intents get nonces, nonces get attempts, attempts get receipts."""

from sqlmodel import Session, col, func, select

from coordinator.db.intents import Attempt, Intent, Slot
from coordinator.db.orders import Order
from coordinator.services import settlements
from coordinator.services.order_log import append
from coordinator.services.orders import lock
from coordinator.services.ports import Receipt, SignedTransaction


def pending(session: Session, chain_id: int, now: int, limit: int) -> list[Intent]:
    """Intents without a nonce whose time has come.

    Disputes defend somebody, so they go first; what was never tried goes before what failed.
    """
    query = select(Intent).where(
        Intent.chain_id == chain_id, Intent.status == "pending", Intent.try_after <= now
    )
    oldest = col(Intent.try_after), col(Intent.id)
    disputes_first = col(Intent.key).startswith("dispute:").desc()
    return list(session.exec(query.order_by(disputes_first, *oldest).limit(limit)).all())


def postpone(session: Session, intent_id: int, reason: str, until: int) -> None:
    """The call is refused for now: keep why, and look again at `until`. In flight, it goes on."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    if intent.status == "pending":
        intent.reason, intent.try_after = reason[:500], until


def unfinished(session: Session, chain_id: int, sender: str) -> list[tuple[Intent, Slot]]:
    """Intents that have a nonce and are not final, in nonce order."""
    rows = session.exec(
        select(Intent, Slot)
        .where(
            Slot.intent_id == Intent.id,
            Slot.chain_id == chain_id,
            Slot.sender == sender,
            col(Intent.status).in_(["sent", "mined"]),
        )
        .order_by(col(Slot.nonce))
    ).all()
    return [(intent, slot) for intent, slot in rows]


def next_nonce(session: Session, chain_id: int, sender: str, chain_count: int) -> int:
    """The first nonce that neither the books nor the chain have used."""
    used = session.exec(
        select(func.max(Slot.nonce)).where(Slot.chain_id == chain_id, Slot.sender == sender)
    ).one()
    return chain_count if used is None else max(chain_count, int(used) + 1)


def take_slot(
    session: Session,
    intent_id: int,
    sender: str,
    nonce: int,
    signed: SignedTransaction,
    now: int,
) -> None:
    """Tie a pending intent to a nonce, with the signed bytes. Committed before broadcast."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    session.add(Slot(intent_id=intent_id, chain_id=intent.chain_id, sender=sender, nonce=nonce))
    intent.status, intent.reason = "sent", None
    session.flush()
    add_attempt(session, intent_id, signed, now)


def add_attempt(session: Session, intent_id: int, signed: SignedTransaction, now: int) -> None:
    session.add(Attempt(intent_id=intent_id, signed_at=now, **vars(signed)))
    session.flush()


def attempts(session: Session, intent_id: int) -> list[Attempt]:
    """Newest first."""
    query = select(Attempt).where(Attempt.intent_id == intent_id)
    return list(session.exec(query.order_by(col(Attempt.max_fee_wei).desc())).all())


def broadcasted(session: Session, tx_hash: str, now: int) -> None:
    session.get_one(Attempt, tx_hash).broadcast_at = now


def mined(session: Session, intent_id: int, receipt: Receipt, final: bool, now: int) -> None:
    """Keep the receipt; a reverted transaction is an end too: the contract has decided."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    slot = session.get_one(Slot, intent_id)
    first = slot.tx_hash != receipt.tx_hash
    slot.tx_hash, slot.gas_used = receipt.tx_hash, receipt.gas_used
    slot.block_number = receipt.block_number
    intent.status = "final" if final else "mined"
    if not receipt.succeeded:
        intent.reason = "reverted"
    if first:
        order = lock(session, intent.order_id)
        data = {"tx_hash": receipt.tx_hash, "gas": receipt.gas_used, "key": intent.key}
        event = "transaction_mined" if receipt.succeeded else "transaction_reverted"
        append(session, order.id, event, "coordinator", order.status, order.status,
               intent.key.split(":")[0], now, data)  # fmt: skip
        if not receipt.succeeded:
            unsettle(session, order, intent, "the transaction reverted", now)


def vanished(session: Session, intent_id: int) -> None:
    """The receipt was reorged away: the transaction is in flight again."""
    session.get_one(Intent, intent_id, with_for_update=True).status = "sent"


def nonce_lost(session: Session, intent_id: int, now: int) -> None:
    """Another transaction of the key has the nonce for good: the intent waits for a new one."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    for attempt in attempts(session, intent_id):
        session.delete(attempt)
    session.flush()
    session.delete(session.get_one(Slot, intent_id))
    intent.status = "pending"
    order = lock(session, intent.order_id)
    append(session, order.id, "nonce_lost", "coordinator", order.status, order.status,
           "the gas-paying key was used elsewhere", now, {"key": intent.key})  # fmt: skip


def unsettle(session: Session, order: Order, intent: Intent, reason: str, now: int) -> None:
    """A settlement's intent is over without effect; one that was settled by others ends by log."""
    verb, _, settlement_id = intent.key.partition("#")[0].partition(":")
    if verb == "settle" and not reason.startswith("AlreadySettled"):
        settlements.failed(session, order, int(settlement_id), reason, now)


def obsolete(session: Session, intent_id: int, reason: str, now: int) -> None:
    """The chain refuses the call before it is sent, for good: nothing to do any more."""
    intent = session.get_one(Intent, intent_id, with_for_update=True)
    intent.status, intent.reason = "obsolete", reason[:500]
    order = lock(session, intent.order_id)
    append(session, order.id, "transaction_obsolete", "coordinator", order.status, order.status,
           reason, now, {"key": intent.key})  # fmt: skip
    unsettle(session, order, intent, reason, now)
