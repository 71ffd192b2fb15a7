"""How each chain's nodes are, as the watcher last found them."""

from sqlalchemy import BigInteger, Column
from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds

MAX_NAME_CHARS = 200
MAX_REASON_CHARS = 500


class NodeHealth(SQLModel, table=True):
    """`name` is the public part of the node's URL; see domain.nodes.NodeReport."""

    __tablename__ = "node_health"

    chain_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    name: str = Field(primary_key=True, max_length=MAX_NAME_CHARS)
    role: str = Field(max_length=20)
    head_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    final_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    latency_ms: int
    errors_in_row: int
    state: str = Field(max_length=12)
    reason: str = Field(max_length=MAX_REASON_CHARS)
    checked_at: int = Field(sa_column=seconds())
