"""Settlements that roles have signed."""

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds, units


class Settlement(SQLModel, table=True):
    """One proposal: `to_buyer_units` until `valid_until`. It is ready when the policy allows it."""

    __tablename__ = "settlements"
    __table_args__ = (UniqueConstraint("order_id", "to_buyer_units", "valid_until"),)

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(foreign_key="orders.id", max_length=66, index=True)
    to_buyer_units: int = Field(sa_column=units())
    valid_until: int = Field(sa_column=seconds())
    status: str = Field(max_length=12, index=True)
    refusal: str | None = Field(default=None, max_length=500)
    # When the co-signer was last asked in vain, Unix seconds; 0 if never.
    asked_at: int = Field(default=0, sa_column=seconds(server_default="0"))


class SettlementSignature(SQLModel, table=True):
    __tablename__ = "settlement_signatures"

    settlement_id: int = Field(foreign_key="settlements.id", primary_key=True)
    role: int = Field(primary_key=True)
    signature: str
