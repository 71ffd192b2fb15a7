"""Double-entry postings of final token movements."""

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.db.columns import units


class LedgerEntry(SQLModel, table=True):
    """One posting. The entries of one `log_id` sum to zero."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("log_id", "leg"),
        Index("ledger_by_account", "account", "token"),
    )

    id: int | None = Field(default=None, primary_key=True)
    log_id: int = Field(foreign_key="chain_logs.id")
    leg: int
    account: str = Field(max_length=80)
    token: str = Field(max_length=42)
    units: int = Field(sa_column=units())
