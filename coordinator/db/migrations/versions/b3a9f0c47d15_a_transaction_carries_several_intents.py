"""a transaction carries several intents"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b3a9f0c47d15"
down_revision: str | None = "e5b8207f91ac"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

NEW_SLOT_COLUMNS = (
    sa.Column("to", sa.String(length=42), nullable=False, server_default=""),
    sa.Column("data", sa.String(), nullable=False, server_default="0x"),
    sa.Column("status", sa.String(length=12), nullable=False, server_default="sent"),
    sa.Column("taken_at", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("gas_estimate", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("singles_gas", sa.BigInteger(), nullable=False, server_default="0"),
)
FILLED_FROM_INTENTS = """
update intent_slots s
set "to" = i."to", data = i.data, status = i.status, taken_at = i.created_at,
    mined_at = case when s.tx_hash is null then null else i.created_at end
from intents i where i.id = s.intent_id
"""


def upgrade() -> None:
    op.create_table(
        "sender_keys",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("balance_wei", sa.Numeric(78, 0), nullable=False),
        sa.Column("condition", sa.String(length=12), nullable=False),
        sa.Column("condition_since", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "address"),
    )
    for column in (
        sa.Column("claimed_by", sa.String(length=42)),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("alone", sa.Boolean(), nullable=False, server_default="false"),
        sa.Column("slot_id", sa.BigInteger()),
    ):
        op.add_column("intents", column)
    op.drop_constraint("intent_slots_pkey", "intent_slots", type_="primary")
    op.execute("alter table intent_slots add column id bigserial primary key")
    for column in (
        *NEW_SLOT_COLUMNS,
        sa.Column("block_hash", sa.String(length=66)),
        sa.Column("fee_wei", sa.Numeric(78, 0), nullable=False, server_default="0"),
        sa.Column("mined_at", sa.BigInteger()),
    ):
        op.add_column("intent_slots", column)
    op.execute(FILLED_FROM_INTENTS)
    for column in NEW_SLOT_COLUMNS:
        op.alter_column("intent_slots", column.name, server_default=None)
    op.execute("update intents i set slot_id = s.id from intent_slots s where s.intent_id = i.id")
    op.add_column("intent_attempts", sa.Column("slot_id", sa.BigInteger()))
    op.execute(
        "update intent_attempts a set slot_id = s.id"
        " from intent_slots s where s.intent_id = a.intent_id"
    )
    op.drop_column("intent_attempts", "intent_id")
    op.alter_column("intent_attempts", "slot_id", nullable=False)
    op.drop_column("intent_slots", "intent_id")
    for table in ("intents", "intent_attempts"):
        op.create_foreign_key(None, table, "intent_slots", ["slot_id"], ["id"])
        op.create_index(f"ix_{table}_slot_id", table, ["slot_id"])
    op.create_index("intent_slots_by_status", "intent_slots", ["chain_id", "status"])
    op.create_index("intent_slots_by_mined_at", "intent_slots", ["chain_id", "mined_at"])


def downgrade() -> None:
    raise NotImplementedError("a batch or a filler has no place in the older tables")
