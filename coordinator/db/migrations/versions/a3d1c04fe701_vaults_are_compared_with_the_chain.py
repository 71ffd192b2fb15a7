"""vaults are compared with the chain; ads and orders belong to one"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a3d1c04fe701"
down_revision: str | None = "7d0c2a51e6b4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

CHAIN = "coalesce((select min(chain_id) from chain_cursors), 0)"
NUMBERS = (
    "final_refund_requested_at", "from_number", "changed_number", "checked_number", "checked_at",
)  # fmt: skip


def upgrade() -> None:
    for table in ("ads", "orders"):
        op.add_column(table, sa.Column("chain_id", sa.BigInteger(), nullable=True))
        # Until now a database has followed one chain.
        op.execute(sa.text(f"update {table} set chain_id = {CHAIN}"))  # noqa: S608
        op.alter_column(table, "chain_id", nullable=False)
    op.drop_index("ads_by_price", table_name="ads")
    op.create_index(
        "ads_by_price", "ads", ["chain_id", "status", "side", "fiat", "price", "id"], unique=False
    )
    for name in NUMBERS:
        op.add_column(
            "escrows", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
        )
    op.add_column("escrows", sa.Column("difference", sa.String(length=500), nullable=True))
    op.alter_column("chain_logs", "order_id", nullable=False)
    op.add_column("chain_logs", sa.Column("into_order_id", sa.String(length=66), nullable=True))
    op.create_index(
        "chain_logs_into_order", "chain_logs", ["into_order_id"], unique=False,
        postgresql_where=sa.text("into_order_id is not null"),
    )  # fmt: skip
    op.create_index("chain_logs_by_block", "chain_logs", ["chain_id", "block_number"], unique=False)


def downgrade() -> None:
    op.drop_index("chain_logs_by_block", table_name="chain_logs")
    op.drop_index("chain_logs_into_order", table_name="chain_logs")
    op.drop_column("chain_logs", "into_order_id")
    op.alter_column("chain_logs", "order_id", nullable=True)
    op.drop_column("escrows", "difference")
    for name in NUMBERS:
        op.drop_column("escrows", name)
    op.drop_index("ads_by_price", table_name="ads")
    op.create_index("ads_by_price", "ads", ["status", "side", "fiat", "price", "id"], unique=False)
    for table in ("ads", "orders"):
        op.drop_column(table, "chain_id")
