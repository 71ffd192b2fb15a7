"""cosignatures name the traders"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9c41d7f0be25"
down_revision: str | None = "a3d1c04fe701"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    for trader in ("seller", "buyer"):
        op.add_column(
            "cosignatures",
            sa.Column(trader, sa.String(length=42), server_default="", nullable=False),
        )


def downgrade() -> None:
    for trader in ("seller", "buyer"):
        op.drop_column("cosignatures", trader)
