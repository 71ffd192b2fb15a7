"""How the gas-paying keys are, and what they have spent: for the sender, status and metrics."""

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, func, select

from coordinator.db.intents import Attempt, SenderKey, Slot
from coordinator.domain.fees import DAY_SECONDS, DayFees, counted


def report(
    session: Session, chain_id: int, address: str, balance_wei: int, condition: str, now: int
) -> bool:
    """Keep how a key is; True if its condition is another than before."""
    before = session.get(SenderKey, (chain_id, address))
    changed = before is None or before.condition != condition
    since = now if before is None or changed else before.condition_since
    values = {
        "balance_wei": balance_wei, "condition": condition, "condition_since": since,
        "seen_at": now,
    }  # fmt: skip
    query = insert(SenderKey).values(chain_id=chain_id, address=address, **values)
    session.connection().execute(
        query.on_conflict_do_update(index_elements=["chain_id", "address"], set_=values)
    )
    return changed


def read(session: Session, chain_id: int) -> list[SenderKey]:
    """The chain's keys by address."""
    query = select(SenderKey).where(SenderKey.chain_id == chain_id)
    return list(session.exec(query.order_by(col(SenderKey.address))).all())


def fees_of_day(
    session: Session, chain_id: int, now: int, contract_signed: bool = False
) -> DayFees:
    """Of all keys of the chain: paid in 24 hours, and the most that what is in flight can cost.

    With `contract_signed`, of what contracts signed alone.
    """
    spent = select(func.coalesce(func.sum(Slot.fee_wei), 0)).where(
        Slot.chain_id == chain_id, col(Slot.mined_at) > now - DAY_SECONDS
    )
    if contract_signed:
        spent = spent.where(Slot.contract_signed)
    flying = in_flight_wei(session, chain_id, contract_signed=contract_signed)
    return DayFees(int(session.exec(spent).one()), flying)


def counted_of_day(session: Session, chain_id: int, now: int, ceiling_wei: int) -> DayFees:
    """What counts against the day's ceiling."""
    by_contracts = fees_of_day(session, chain_id, now, contract_signed=True)
    return counted(fees_of_day(session, chain_id, now), by_contracts, ceiling_wei)


def gas_saved_of_day(session: Session, chain_id: int, now: int) -> int:
    """Of all keys: what batches that became final needed less in 24 hours than their settlements
    alone were estimated to need. Below 0 if it was more.
    """
    query = select(func.sum(Slot.singles_gas - col(Slot.gas_used))).where(
        Slot.chain_id == chain_id,
        Slot.status == "final",
        Slot.singles_gas != Slot.gas_estimate,
        col(Slot.mined_at) > now - DAY_SECONDS,
    )
    return int(session.exec(query).one() or 0)


def in_flight_wei(
    session: Session, chain_id: int, sender: str | None = None, contract_signed: bool = False
) -> int:
    """The most that the unconfirmed transactions of one key, or of all, can cost."""
    dearest = (
        select(func.max(Attempt.max_fee_wei).label("wei"))
        .join(Slot, col(Slot.id) == col(Attempt.slot_id))
        .where(Slot.chain_id == chain_id, Slot.status == "sent")
        .group_by(col(Attempt.slot_id))
    )
    if sender is not None:
        dearest = dearest.where(Slot.sender == sender)
    if contract_signed:
        dearest = dearest.where(Slot.contract_signed)
    each = dearest.subquery()
    return int(session.exec(select(func.coalesce(func.sum(each.c.wei), 0))).one())
