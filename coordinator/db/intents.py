"""Transactions to be sent: the intent, the nonce it got, and every attempt."""

from typing import Any

from sqlalchemy import BigInteger, Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.db.columns import json_column, seconds, units


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


class Slot(SQLModel, table=True):
    """A nonce of a sender, taken by one intent for ever."""

    __tablename__ = "intent_slots"
    __table_args__ = (UniqueConstraint("chain_id", "sender", "nonce"),)

    intent_id: int = Field(foreign_key="intents.id", primary_key=True)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    sender: str = Field(max_length=42)
    nonce: int = Field(sa_column=seconds())
    tx_hash: str | None = Field(default=None, max_length=66)
    block_number: int | None = Field(default=None, sa_column=seconds(nullable=True))
    gas_used: int | None = Field(default=None, sa_column=seconds(nullable=True))


class Attempt(SQLModel, table=True):
    """Signed bytes, stored before they are broadcast: after a crash the same bytes go out again."""

    __tablename__ = "intent_attempts"

    tx_hash: str = Field(primary_key=True, max_length=66)
    intent_id: int = Field(foreign_key="intents.id", index=True)
    raw: str
    fees: dict[str, Any] = Field(sa_column=json_column())
    max_fee_wei: int = Field(sa_column=units())
    signed_at: int = Field(sa_column=seconds())
    broadcast_at: int | None = Field(default=None, sa_column=seconds(nullable=True))
