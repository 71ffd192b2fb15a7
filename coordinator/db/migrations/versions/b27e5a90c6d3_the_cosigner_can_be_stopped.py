"""the co-signer can be stopped"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b27e5a90c6d3"
down_revision: str | None = "b3a9f0c47d15"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "cosigner_switches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("cosigner_switches")
