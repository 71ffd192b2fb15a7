"""What the chain says of each order: projections that can be rebuilt from the logs."""

from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds, units


class Escrow(SQLModel, table=True):
    """`seen_*` counts every canonical block, `final_*` only those that cannot vanish.

    `checked_number` is the final block at which the chain itself last said the same as these logs;
    until it has come to `changed_number`, that of the newest final log, nobody is told to pay.
    """

    __tablename__ = "escrows"

    order_id: str = Field(foreign_key="orders.id", primary_key=True, max_length=66)
    vault: str = Field(max_length=42, unique=True)
    seen_units: int = Field(sa_column=units())
    final_units: int = Field(sa_column=units())
    wrong_token: bool = False
    funded_at: int = Field(default=0, sa_column=seconds())
    refund_requested_at: int = Field(default=0, sa_column=seconds())
    disputed_at: int = Field(default=0, sa_column=seconds())
    settled_tx: str = Field(default="", max_length=66)
    final_funded_at: int = Field(default=0, sa_column=seconds())
    final_refund_requested_at: int = Field(default=0, sa_column=seconds(server_default="0"))
    final_disputed_at: int = Field(default=0, sa_column=seconds())
    final_settled_tx: str = Field(default="", max_length=66)
    from_number: int = Field(default=0, sa_column=seconds(server_default="0"))
    changed_number: int = Field(default=0, sa_column=seconds(server_default="0"))
    checked_number: int = Field(default=0, sa_column=seconds(server_default="0"))
    checked_at: int = Field(default=0, sa_column=seconds(server_default="0"))
    difference: str | None = Field(default=None, max_length=500)
