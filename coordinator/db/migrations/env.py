"""Alembic's entry: runs on the connection that coordinator.db.migrate hands over."""

from typing import Any, Literal

from alembic import context
from sqlmodel.sql.sqltypes import AutoString

from coordinator.db.columns import Units
from coordinator.db.tables import metadata


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Our own types as plain ones: a migration must not change when they do."""
    if kind == "type" and isinstance(item, Units):
        return "sa.Numeric(78, 0)"
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
