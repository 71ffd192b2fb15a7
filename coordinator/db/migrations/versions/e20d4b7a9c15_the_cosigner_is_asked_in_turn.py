"""the cosigner is asked in turn"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e20d4b7a9c15"
down_revision: str | None = "d81c5e3a7f42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column(
        "settlements", sa.Column("asked_at", sa.BigInteger(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("settlements", "asked_at")
