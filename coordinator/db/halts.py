"""When and why a chain was halted, and when and why an operator let it go on."""

from sqlalchemy import BigInteger, Column, text
from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds

MAX_REASON_CHARS = 500


class ChainHalt(SQLModel, table=True):
    """Event: halted, resumed. Rows are only ever added."""

    __tablename__ = "chain_halts"

    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    event: str = Field(max_length=8)
    reason: str = Field(max_length=MAX_REASON_CHARS)
    at: int | None = Field(
        default=None, sa_column=seconds(server_default=text("extract(epoch from now())::bigint"))
    )
