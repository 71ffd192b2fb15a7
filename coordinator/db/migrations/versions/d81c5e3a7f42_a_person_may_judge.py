"""a person may judge"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d81c5e3a7f42"
down_revision: str | None = "b27e5a90c6d3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("cosignatures", sa.Column("judge", sa.String(length=200), nullable=True))
    op.add_column("cosignatures", sa.Column("why", sa.String(length=500), nullable=True))


def downgrade() -> None:
    op.drop_column("cosignatures", "why")
    op.drop_column("cosignatures", "judge")
