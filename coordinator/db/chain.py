"""Blocks, logs and the watcher's place, for each chain."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from coordinator.db.columns import json_column, seconds


class Cursor(SQLModel, table=True):
    """How far a chain was read. `epoch` grows with each writer, so that an old one cannot write."""

    __tablename__ = "chain_cursors"

    chain_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int = Field(sa_column=seconds())
    hash: str = Field(max_length=66)
    time: int = Field(sa_column=seconds())
    final_number: int = Field(sa_column=seconds())
    final_hash: str = Field(max_length=66)
    final_time: int = Field(sa_column=seconds())
    epoch: int
    halted: str | None = Field(default=None, max_length=500)


class Block(SQLModel, table=True):
    """Headers kept to find where a reorg began."""

    __tablename__ = "chain_blocks"

    chain_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: str = Field(primary_key=True, max_length=66)
    number: int = Field(sa_column=seconds(index=True))
    parent_hash: str = Field(max_length=66)
    time: int = Field(sa_column=seconds())
    orphaned: bool = False


class Log(SQLModel, table=True):
    """A raw log that concerns us. Its identity is (chain, block hash, log index)."""

    __tablename__ = "chain_logs"
    __table_args__ = (
        UniqueConstraint("chain_id", "block_hash", "log_index"),
        Index("chain_logs_in_order", "order_id", "block_number", "log_index"),
        Index(
            "chain_logs_into_order",
            "into_order_id",
            postgresql_where=text("into_order_id is not null"),
        ),
        Index("chain_logs_by_block", "chain_id", "block_number"),
    )

    id: int | None = Field(default=None, primary_key=True)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    block_hash: str = Field(max_length=66)
    block_number: int = Field(sa_column=seconds())
    block_time: int = Field(sa_column=seconds())
    log_index: int
    tx_hash: str = Field(max_length=66)
    address: str = Field(max_length=42)
    topics: list[str] = Field(sa_column=json_column())
    data: str
    name: str = Field(max_length=40)
    order_id: str = Field(max_length=66)
    # The other order of a transfer from one vault to another.
    into_order_id: str | None = Field(default=None, max_length=66)
    decoded: dict[str, Any] = Field(sa_column=json_column())
    orphaned: bool = False
    posted: bool = False
