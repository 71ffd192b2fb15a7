"""Orders, their log, and the traders' signatures of the terms."""

from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Integer, Numeric, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.db.columns import json_column, seconds, units

VERSION: Column[int] = Column("version", Integer, nullable=False)


class Order(SQLModel, table=True):
    """`id` is the EIP-712 hash of the terms. `version` counts the changes: the compare-and-set."""

    __tablename__ = "orders"
    __mapper_args__: ClassVar[dict[str, Any]] = {"version_id_col": VERSION}

    id: str = Field(primary_key=True, max_length=66)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: str = Field(max_length=20, index=True)
    version: int = Field(sa_column=VERSION)
    ad_id: int = Field(foreign_key="ads.id", index=True)
    maker: str = Field(max_length=42)
    seller: str = Field(foreign_key="users.address", max_length=42, index=True)
    buyer: str = Field(foreign_key="users.address", max_length=42, index=True)
    arbitrator: str = Field(max_length=42, index=True)
    vault: str = Field(max_length=42, unique=True)
    token: str = Field(max_length=42)
    amount_units: int = Field(sa_column=units())
    terms: dict[str, Any] = Field(sa_column=json_column())
    fiat: str = Field(max_length=3)
    fiat_amount_minor: int = Field(sa_column=units())
    price: Decimal = Field(sa_column=Column(Numeric(24, 8), nullable=False))
    payment_method: str = Field(max_length=40)
    instructions: str = Field(max_length=2000)
    payment_reference: str | None = Field(default=None, max_length=200)
    fund_by: int = Field(sa_column=seconds())
    pay_by: int = Field(sa_column=seconds(index=True))
    paid_at: int | None = Field(default=None, sa_column=seconds(nullable=True))
    created_at: int = Field(sa_column=seconds())


class OrderSignature(SQLModel, table=True):
    """A trader's signature of the terms ("Order") or of a dispute ahead ("Dispute")."""

    __tablename__ = "order_signatures"

    order_id: str = Field(foreign_key="orders.id", primary_key=True, max_length=66)
    kind: str = Field(primary_key=True, max_length=20)
    role: int = Field(primary_key=True)
    signature: str


class OrderLogEntry(SQLModel, table=True):
    __tablename__ = "order_log"
    __table_args__ = (UniqueConstraint("order_id", "hash"),)

    order_id: str = Field(foreign_key="orders.id", primary_key=True, max_length=66)
    seq: int = Field(primary_key=True)
    at: int = Field(sa_column=seconds())
    actor: str = Field(max_length=42)
    event: str = Field(max_length=40)
    from_status: str = Field(max_length=20)
    to_status: str = Field(max_length=20)
    reason: str = Field(max_length=500)
    data: dict[str, Any] = Field(sa_column=json_column())
    prev_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
