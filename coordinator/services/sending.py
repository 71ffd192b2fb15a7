"""The books of the sender: intents get nonces, nonces get attempts, attempts get receipts."""

from collections.abc import Sequence
from dataclasses import replace

from otc_sdk.calls import is_batch, is_settle, valid_until_of
from sqlalchemy import text
from sqlmodel import Session, col, func, not_, select

from coordinator.db.escrows import Escrow
from coordinator.db.intents import REVERTED, Attempt, Intent, Slot
from coordinator.db.orders import Order
from coordinator.db.wake import Channel, notify
from coordinator.domain.fees import CONTRACTS_PART_OF_DAY
from coordinator.services import clock, halting, metrics, sender_keys, settlements
from coordinator.services.claims import IS_DISPUTE, is_dispute
from coordinator.services.order_log import append
from coordinator.services.orders import lock
from coordinator.services.ports import (
    Call,
    FeeTooHigh,
    NodeDown,
    NodesDisagree,
    Receipt,
    SignedTransaction,
)

# Of books restored from a backup. Older ones begin anew with another key.
MAX_SKIPPED_NONCES = 1000
FAILED_IN_BATCH = "it failed in a batch; the others did not"


class Taken(Exception):
    """An intent is not pending any more, or another key works on it."""


def unfinished(session: Session, chain_id: int, sender: str) -> list[Slot]:
    """Slots that are not final, in nonce order."""
    query = select(Slot).where(
        Slot.chain_id == chain_id, Slot.sender == sender, col(Slot.status).in_(["sent", "mined"])
    )
    return list(session.exec(query.order_by(col(Slot.nonce))).all())


def unconfirmed(session: Session, chain_id: int, sender: str) -> int:
    """How many transactions of a key no block has yet."""
    query = select(func.count()).where(
        Slot.chain_id == chain_id, Slot.sender == sender, Slot.status == "sent"
    )
    return session.exec(query).one()


def from_nonce(session: Session, chain_id: int, sender: str, nonce: int) -> list[Slot]:
    """All slots at or above a nonce, in nonce order."""
    query = select(Slot).where(
        Slot.chain_id == chain_id, Slot.sender == sender, col(Slot.nonce) >= nonce
    )
    return list(session.exec(query.order_by(col(Slot.nonce))).all())


def intents_of(session: Session, slot_id: int, for_update: bool = False) -> list[Intent]:
    """What a transaction carries; nothing if it fills a gap. By order, as locks are taken."""
    query = (
        select(Intent)
        .where(Intent.slot_id == slot_id)
        .order_by(col(Intent.order_id), col(Intent.id))
    )
    return list(session.exec(query.with_for_update() if for_update else query).all())


def orders_of(session: Session, slots: Sequence[Slot]) -> dict[int | None, list[str]]:
    """Ids of the orders that each transaction carries, by its slot's id."""
    found: dict[int | None, list[str]] = {slot.id: [] for slot in slots}
    query = select(Intent.slot_id, Intent.order_id).where(col(Intent.slot_id).in_(list(found)))
    for slot_id, order_id in session.exec(query.order_by(Intent.order_id)).all():
        found[slot_id].append(order_id)
    return found


def next_nonce(session: Session, chain_id: int, sender: str, chain_count: int) -> int:
    """The first nonce that neither the books nor the chain have used.

    Raises NodeDown where the chain's count is absurd: what has such a nonce is never mined.
    """
    used = session.exec(
        select(func.max(Slot.nonce)).where(Slot.chain_id == chain_id, Slot.sender == sender)
    ).one()
    ours = chain_count if used is None else int(used) + 1
    if chain_count > ours + MAX_SKIPPED_NONCES:
        raise NodeDown(f"the node counts {chain_count} transactions, and the books {ours}")
    return max(chain_count, ours)


def require_budget(
    session: Session,
    chain_id: int,
    more_wei: int,
    ceiling_wei: int,
    now: int,
    contract_signed: bool = False,
) -> None:
    """Raise FeeTooHigh if `more_wei` could bring the day's fees above the ceiling.

    What contracts signed has a part of it: what that costs in vain must not stop the others.
    The keys of a chain are asked one after the other, or two could pass together.
    """
    query = text("select pg_advisory_xact_lock(hashtextextended(:key, 0))")
    session.connection().execute(query, {"key": f"fees:{chain_id}"})
    counted = sender_keys.counted_of_day(session, chain_id, now, ceiling_wei)
    ceilings = {"a day": (counted, ceiling_wei)}
    if contract_signed:
        theirs = sender_keys.fees_of_day(session, chain_id, now, contract_signed=True)
        part_wei = ceiling_wei // CONTRACTS_PART_OF_DAY
        ceilings["contracts' signatures a day"] = (theirs, part_wei)
    for name, (day, most_wei) in ceilings.items():
        if day.over(more_wei, most_wei):
            raise FeeTooHigh(
                f"{more_wei} wei more than {day.spent_wei} spent and {day.in_flight_wei} in flight"
                f" is above the ceiling of {name}, {most_wei}"
            )


def take_slot(
    session: Session,
    slot: Slot,
    carried: Sequence[Intent],
    signed: SignedTransaction,
    now: int,
) -> int:
    """Tie pending intents to a nonce, with the signed bytes. Committed before broadcast.

    Raises Taken, with nothing done, if one of them is not this sender's to send; ChainHalted for
    a settlement on a chain that was halted meanwhile.
    """
    if not all(is_dispute(intent) for intent in carried):
        halting.require_running(session, slot.chain_id)
    session.add(slot)
    session.flush()
    for intent_id in sorted(intent.id or 0 for intent in carried):
        intent = session.get_one(Intent, intent_id, with_for_update=True, populate_existing=True)
        if intent.status != "pending" or intent.claimed_by not in (None, slot.sender):
            raise Taken(f"{intent.key} is {intent.status}, claimed by {intent.claimed_by}")
        intent.status, intent.reason, intent.slot_id = "sent", None, slot.id
        intent.claimed_by, intent.claimed_until = None, 0
    session.flush()
    add_attempt(session, slot.id or 0, signed, now)
    return slot.id or 0


def new_slot(
    chain_id: int,
    sender: str,
    nonce: int,
    call: Call,
    gas: tuple[int, int],
    now: int,
    contract_signed: bool = False,
) -> Slot:
    """`gas` is the estimate of the transaction, and of its intents one by one."""
    return Slot(
        chain_id=chain_id, sender=sender, nonce=nonce, to=call.to, data=call.data, status="sent",
        taken_at=now, gas_estimate=gas[0], singles_gas=gas[1], contract_signed=contract_signed,
    )  # fmt: skip


def add_attempt(session: Session, slot_id: int, signed: SignedTransaction, now: int) -> Attempt:
    attempt = Attempt(slot_id=slot_id, signed_at=now, **vars(signed))
    session.add(attempt)
    session.flush()
    return attempt


def attempts(session: Session, slot_id: int) -> list[Attempt]:
    """Newest first."""
    query = select(Attempt).where(Attempt.slot_id == slot_id)
    return list(session.exec(query.order_by(col(Attempt.max_fee_wei).desc())).all())


def broadcasted(session: Session, tx_hash: str, now: int) -> None:
    session.get_one(Attempt, tx_hash).broadcast_at = now


def mined(session: Session, slot_id: int, receipt: Receipt, final: bool, now: int) -> Slot:
    """Keep the receipt. What it means for the intents counts once it is final.

    A single one that reverted is at its end: the contract has decided. One that failed in a batch
    is pending again, and goes alone.
    """
    slot = session.get_one(Slot, slot_id, with_for_update=True)
    receipt = within(session.get_one(Attempt, receipt.tx_hash), receipt)
    first = slot.tx_hash != receipt.tx_hash
    if first:
        metrics.MINED.labels(str(receipt.succeeded).lower()).inc()
        metrics.GAS.inc(receipt.gas_used)
    slot.tx_hash, slot.gas_used, slot.fee_wei = receipt.tx_hash, receipt.gas_used, receipt.fee_wei
    slot.block_number, slot.block_hash = receipt.block_number, receipt.block_hash
    slot.status = "final" if final else "mined"
    slot.mined_at = slot.mined_at or now
    batch, carried, settled = is_batch(slot.data), intents_of(session, slot_id), 0
    for intent in carried:
        order = lock(session, intent.order_id)
        session.refresh(intent, with_for_update=True)
        worked = has_worked(slot, intent, receipt)
        settled += worked
        intent.status = slot.status
        intent.reason = None if worked else FAILED_IN_BATCH if batch else REVERTED
        if first:
            log_mined(session, order, intent, receipt, worked, now)
        if final and not worked:
            failed(session, order, intent, batch, now)
    if final and batch:
        count_saved(slot, receipt.gas_used, settled, len(carried))
    return slot


def within(attempt: Attempt, receipt: Receipt) -> Receipt:
    """The receipt, with no more gas and fees than were signed: beyond them it is one node's lie."""
    gas_used = min(receipt.gas_used, int(attempt.fees["gas"]))
    return replace(receipt, gas_used=gas_used, fee_wei=min(receipt.fee_wei, attempt.max_fee_wei))


def count_saved(slot: Slot, gas_used: int, settled: int, carried: int) -> None:
    """What failed in a batch is sent again and saved nothing; all have an equal share of the gas.

    A batch that needed more than its settlements alone takes nothing back: it is a counter.
    """
    slot.singles_gas = slot.singles_gas * settled // max(carried, 1)
    metrics.GAS_SAVED.inc(max(0, slot.singles_gas - gas_used))


def require_effect(session: Session, slot_id: int, receipt: Receipt) -> None:
    """Raise NodesDisagree if a final receipt says that something worked, and the final books,
    which rest on all nodes, do not: one node made it up, and what is not there must be sent again.
    """
    slot = session.get_one(Slot, slot_id)
    for intent in intents_of(session, slot_id):
        escrow = session.get_one(Escrow, intent.order_id)
        there = escrow.final_settled_tx or (is_dispute(intent) and escrow.final_disputed_at)
        if has_worked(slot, intent, receipt) and not there:
            raise NodesDisagree(f"only a receipt says that {receipt.tx_hash} did {intent.key}")


def has_worked(slot: Slot, intent: Intent, receipt: Receipt) -> bool:
    return receipt.succeeded and (not is_batch(slot.data) or intent.order_id in receipt.settled)


def log_mined(
    session: Session, order: Order, intent: Intent, receipt: Receipt, worked: bool, now: int
) -> None:
    data = {"tx_hash": receipt.tx_hash, "gas": receipt.gas_used, "key": intent.key}
    event = "transaction_mined" if worked else "transaction_reverted"
    append(session, order.id, event, "coordinator", order.status, order.status,
           intent.key.split(":")[0], now, data)  # fmt: skip


def failed(session: Session, order: Order, intent: Intent, batch: bool, now: int) -> None:
    if batch:
        intent.alone = True
        put_back(session, intent)
    else:
        unsettle(session, order, intent, "the transaction reverted", now)


def put_back(session: Session, intent: Intent) -> None:
    intent.status, intent.slot_id = "pending", None
    notify(session, Channel.SENDER)


def vanished(session: Session, slot_id: int) -> None:
    """The receipt was reorged away: the transaction is in flight again."""
    slot = session.get_one(Slot, slot_id, with_for_update=True)
    slot.status, slot.block_number, slot.block_hash = "sent", None, None
    slot.gas_used, slot.fee_wei, slot.mined_at = None, 0, None
    for intent in intents_of(session, slot_id, for_update=True):
        intent.status, intent.reason = "sent", None


def nonce_lost(session: Session, slot_id: int, now: int) -> None:
    """Another transaction of the key has the nonce for good: its intents wait for a new one."""
    slot = session.get_one(Slot, slot_id, with_for_update=True)
    slot.status = "lost"
    for intent in intents_of(session, slot_id):
        order = lock(session, intent.order_id)
        session.refresh(intent, with_for_update=True)
        put_back(session, intent)
        append(session, order.id, "nonce_lost", "coordinator", order.status, order.status,
               "the gas-paying key was used elsewhere", now, {"key": intent.key})  # fmt: skip


def unsettle(session: Session, order: Order, intent: Intent, reason: str, now: int) -> None:
    """A settlement's intent is over without effect; one that was settled by others ends by log."""
    verb, _, settlement_id = intent.key.partition("#")[0].partition(":")
    settled = session.get_one(Escrow, order.id).final_settled_tx
    if verb == "settle" and not settled:
        settlements.failed(session, order, int(settlement_id), reason, now)


def count_reverted(session: Session, intent: Intent) -> int:
    """How many like it were mined alone and did nothing: settlements of its order that the same
    contracts signed, or disputes by its trader, so that nobody uses up what the other needs.
    """
    like = col(Intent.key).startswith(intent.key.partition("#")[0], autoescape=True)
    query = select(func.count(col(Intent.id))).where(
        Intent.order_id == intent.order_id,
        Intent.reason == REVERTED,
        Intent.contract_signers == intent.contract_signers,
        like if is_dispute(intent) else not_(IS_DISPUTE),
    )
    return session.exec(query).one()


def is_over(session: Session, intent_id: int) -> bool:
    """Whether the final chain leaves a pending intent nothing to do: settled, disputed, expired.

    What the node that was asked says may be of a block that vanishes, or a lie.
    """
    intent = session.get_one(Intent, intent_id)
    escrow = session.get_one(Escrow, intent.order_id)
    if escrow.final_settled_tx or (is_dispute(intent) and escrow.final_disputed_at):
        return True
    if not is_settle(intent.data):
        return False
    return valid_until_of(intent.data) <= clock.final_now(session, intent.chain_id)


def obsolete(session: Session, intent_id: int, reason: str, now: int) -> None:
    """The chain refuses the call before it is sent, for good: nothing to do any more."""
    intent = session.get_one(Intent, intent_id)
    order = lock(session, intent.order_id)
    session.refresh(intent, with_for_update=True)
    if intent.status != "pending":
        return
    intent.status, intent.reason = "obsolete", reason[:500]
    append(session, order.id, "transaction_obsolete", "coordinator", order.status, order.status,
           reason, now, {"key": intent.key})  # fmt: skip
    unsettle(session, order, intent, reason, now)
