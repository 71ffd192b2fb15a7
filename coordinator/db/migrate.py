"""Bringing a database to the newest schema with Alembic."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

FOLDER = Path(__file__).parent / "migrations"
# Two starters at once: the second waits, then finds nothing to do.
MIGRATION_LOCK = 0x07C5C3


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(FOLDER))
    return made


def upgrade(engine: Engine) -> None:
    """Apply all migrations that are missing, under a lock."""
    with engine.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
        made = config()
        made.attributes["connection"] = connection
        command.upgrade(made, "head")


@cache
def newest() -> str:
    """The schema that this code works with."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def schema_fault(connection: Connection) -> str | None:
    """Why the schema is not this code's, or None if it is."""
    actual = MigrationContext.configure(connection).get_current_revision()
    if actual == newest():
        return None
    return f"the database's schema is {actual}, this release works with {newest()}"
