"""Bringing a database to the newest schema with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

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
