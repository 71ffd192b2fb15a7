"""Ads of makers."""

from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Numeric, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds, units


class Ad(SQLModel, table=True):
    __tablename__ = "ads"
    __table_args__ = (
        CheckConstraint("available_units >= 0", name="ads_never_oversold"),
        CheckConstraint("available_units <= total_units", name="ads_not_over_total"),
        Index("ads_by_price", "chain_id", "status", "side", "fiat", "price", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    maker: str = Field(foreign_key="users.address", max_length=42, index=True)
    side: str = Field(max_length=4)
    fiat: str = Field(max_length=3)
    price: Decimal = Field(sa_column=Column(Numeric(24, 8), nullable=False))
    total_units: int = Field(sa_column=units())
    available_units: int = Field(sa_column=units())
    min_fiat_minor: int = Field(sa_column=units())
    max_fiat_minor: int = Field(sa_column=units())
    payment_methods: list[str] = Field(sa_column=Column(ARRAY(String(40)), nullable=False))
    pay_by_seconds: int
    instructions: str = Field(default="", max_length=2000)
    status: str = Field(max_length=8)
    created_at: int = Field(sa_column=seconds())
