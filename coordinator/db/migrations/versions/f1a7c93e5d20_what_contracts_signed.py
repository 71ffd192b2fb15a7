"""What contracts signed

Revision ID: f1a7c93e5d20
"""

import sqlalchemy as sa
from alembic import op

revision: str = "f1a7c93e5d20"
down_revision: str | None = "e20d4b7a9c15"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.add_column(
        "intents", sa.Column("contract_signers", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "intent_slots",
        sa.Column("contract_signed", sa.Boolean(), server_default="false", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("intent_slots", "contract_signed")
    op.drop_column("intents", "contract_signers")
