"""The migrations make exactly the tables that the code describes."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, Integer, MetaData, Table, inspect

from coordinator.db.migrate import upgrade
from coordinator.db.tables import TABLES, metadata
from tests.database import DatabaseServer


def differences(engine: Engine, tables: MetaData) -> list[Any]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), tables))


def test_migrations_equal_the_tables(engine: Engine) -> None:
    assert differences(engine, metadata) == []


def test_a_missing_migration_is_noticed(engine: Engine) -> None:
    more = MetaData()
    for table in metadata.tables.values():
        table.to_metadata(more)
    Table("forgotten", more, Column("id", Integer, primary_key=True))
    [(kind, table)] = differences(engine, more)
    assert (kind, table.name) == ("add_table", "forgotten")


def test_every_table_is_listed() -> None:
    assert {table.__tablename__ for table in TABLES} == set(metadata.tables)


@pytest.mark.parametrize("times", [1, 2])
def test_upgrading_again_changes_nothing(database_server: DatabaseServer, times: int) -> None:
    name = database_server.create_empty()
    engine = database_server.connect(name)
    for _ in range(times):
        upgrade(engine)
    assert set(metadata.tables) < set(inspect(engine).get_table_names())
    engine.dispose()
    database_server.drop(name)
