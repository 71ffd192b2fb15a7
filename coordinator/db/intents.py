"""Transactions to be sent: the intent, the nonce it got, and every attempt."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.db.columns import json_column, seconds, units

# The reason of one whose transaction was mined and did nothing.
REVERTED = "reverted"


class Intent(SQLModel, table=True):
    """`key` makes it happen once. Status: pending, sent, mined, final, obsolete."""

    __tablename__ = "intents"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True, max_length=200)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    order_id: str = Field(foreign_key="orders.id", max_length=66, index=True)
    to: str = Field(max_length=42)
    data: str
    status: str = Field(max_length=12, index=True)
    reason: str | None = Field(default=None, max_length=500)
    created_at: int = Field(sa_column=seconds())
    # Not looked at before this second: one that the chain refuses must not hold up the others.
    try_after: int = Field(default=0, sa_column=seconds(server_default="0"))
    # The key that works on it; others may after `claimed_until`.
    claimed_by: str | None = Field(default=None, max_length=42)
    claimed_until: int = Field(default=0, sa_column=seconds(server_default="0"))
    # It failed in a batch, or is never to be in one.
    alone: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    # Whose signatures are a contract's (ERC-1271), as `otc_sdk.roles.bits`.
    contract_signers: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    # The transaction that carries it; None while it is pending.
    slot_id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger, ForeignKey("intent_slots.id"), nullable=True, index=True),
    )


class Slot(SQLModel, table=True):
    """A nonce of a sender, taken for ever: for one intent, a batch, or none to fill a gap.

    Status: sent, mined, final, or lost: another transaction of the key has the nonce for good.
    `singles_gas` is what its intents were estimated to need one by one; of a batch that is final,
    those that it settled. Of a single one it is `gas_estimate`.
    """

    __tablename__ = "intent_slots"
    __table_args__ = (
        UniqueConstraint("chain_id", "sender", "nonce"),
        Index("intent_slots_by_status", "chain_id", "status"),
        Index("intent_slots_by_mined_at", "chain_id", "mined_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, primary_key=True))
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    sender: str = Field(max_length=42)
    nonce: int = Field(sa_column=seconds())
    to: str = Field(max_length=42)
    data: str
    status: str = Field(max_length=12)
    taken_at: int = Field(sa_column=seconds())
    gas_estimate: int = Field(sa_column=seconds())
    singles_gas: int = Field(sa_column=seconds())
    # A contract's signature may be good when tried and bad when mined.
    contract_signed: bool = Field(default=False, sa_column_kwargs={"server_default": "false"})
    tx_hash: str | None = Field(default=None, max_length=66)
    block_number: int | None = Field(default=None, sa_column=seconds(nullable=True))
    block_hash: str | None = Field(default=None, max_length=66)
    gas_used: int | None = Field(default=None, sa_column=seconds(nullable=True))
    fee_wei: int = Field(default=0, sa_column=units(server_default="0"))
    mined_at: int | None = Field(default=None, sa_column=seconds(nullable=True))


class Attempt(SQLModel, table=True):
    """Signed bytes, stored before they are broadcast: after a crash the same bytes go out again."""

    __tablename__ = "intent_attempts"

    tx_hash: str = Field(primary_key=True, max_length=66)
    slot_id: int = Field(
        sa_column=Column(BigInteger, ForeignKey("intent_slots.id"), nullable=False, index=True)
    )
    raw: str
    fees: dict[str, Any] = Field(sa_column=json_column())
    max_fee_wei: int = Field(sa_column=units())
    signed_at: int = Field(sa_column=seconds())
    broadcast_at: int | None = Field(default=None, sa_column=seconds(nullable=True))


class SenderKey(SQLModel, table=True):
    """How each gas-paying key is. Condition: ok, low, empty, full or over_budget."""

    __tablename__ = "sender_keys"

    chain_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    address: str = Field(primary_key=True, max_length=42)
    balance_wei: int = Field(sa_column=units())
    condition: str = Field(max_length=12)
    condition_since: int = Field(sa_column=seconds())
    seen_at: int = Field(sa_column=seconds())
