"""The co-signer's own book."""

from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds, units


class Cosignature(SQLModel, table=True):
    """Written by the co-signer alone: what it signed, and what it refused and why.

    The traders are empty in rows older than the limits of a trader; `judge` and `why` name the
    person who judged, and are empty in what the machine decided.
    """

    __tablename__ = "cosignatures"

    id: int | None = Field(default=None, primary_key=True)
    order_id: str = Field(max_length=66, index=True)
    to_buyer_units: int = Field(sa_column=units())
    valid_until: int = Field(sa_column=seconds())
    amount_units: int = Field(sa_column=units())
    seller: str = Field(max_length=42, sa_column_kwargs={"server_default": ""})
    buyer: str = Field(max_length=42, sa_column_kwargs={"server_default": ""})
    signature: str | None = None
    refusal: str | None = Field(default=None, max_length=500)
    judge: str | None = Field(default=None, max_length=200)
    why: str | None = Field(default=None, max_length=500)
    at: int = Field(sa_column=seconds(index=True))


class CosignerSwitch(SQLModel, table=True):
    """What operators did to the switch, oldest first: the newest row says whether it signs."""

    __tablename__ = "cosigner_switches"

    id: int | None = Field(default=None, primary_key=True)
    stopped: bool
    why: str = Field(max_length=500)
    by: str = Field(max_length=200)
    at: int = Field(sa_column=seconds())
