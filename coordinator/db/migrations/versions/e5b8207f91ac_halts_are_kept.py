"""halts are kept"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e5b8207f91ac"
down_revision: str | None = "9c41d7f0be25"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "chain_halts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column(
            "at",
            sa.BigInteger(),
            server_default=sa.text("extract(epoch from now())::bigint"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_chain_halts_chain_id", "chain_halts", ["chain_id"])


def downgrade() -> None:
    op.drop_table("chain_halts")
