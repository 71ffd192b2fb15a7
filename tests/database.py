"""PostgreSQL for tests: one server a test worker, one fresh database a test."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Engine

from coordinator.db.migrate import upgrade
from coordinator.db.session import make_engine
from coordinator.stack.database import EmbeddedDatabase

TEMPLATE = "migrated"


class DatabaseServer:
    """An embedded server that holds one migrated database, to be copied for each test."""

    def __init__(self, url: str) -> None:
        self.admin = make_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        self.numbers = count(1)
        # Nothing here needs to survive a power cut.
        self.execute("alter system set fsync = off")
        self.execute("select pg_reload_conf()")
        self.execute(f"create database {TEMPLATE}")
        migrated = self.connect(TEMPLATE)
        upgrade(migrated)
        migrated.dispose()

    def execute(self, statement: str) -> None:
        with self.admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def url(self, name: str) -> str:
        return self.admin.url.set(database=name).render_as_string(hide_password=False)

    def connect(self, name: str) -> Engine:
        return make_engine(self.url(name))

    def create(self) -> str:
        """Name of a new database with the newest schema."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        return name

    def create_empty(self) -> str:
        """Name of a new database without any table."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"create database {name}")
        return name

    def refuse(self, name: str) -> None:
        """End all connections to a database and admit no new ones."""
        self.execute(f"alter database {name} allow_connections false")
        connections = f"pg_stat_activity where datname = '{name}'"
        self.execute(f"select pg_terminate_backend(pid) from {connections}")  # noqa: S608

    def admit(self, name: str) -> None:
        self.execute(f"alter database {name} allow_connections true")

    def drop(self, name: str) -> None:
        self.execute(f"drop database {name} with (force)")


@contextmanager
def running_server() -> Iterator[DatabaseServer]:
    """A server of its own, gone at the end."""
    # Not pytest's own folder: the path of a Unix socket must be short.
    with tempfile.TemporaryDirectory(prefix="otc-") as folder:
        embedded = EmbeddedDatabase(Path(folder) / "pg")
        server = DatabaseServer(embedded.start())
        try:
            yield server
        finally:
            server.admin.dispose()
            embedded.stop()


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def engine(database_server: DatabaseServer) -> Iterator[Engine]:
    """A database of the test's own, with the newest schema."""
    name = database_server.create()
    engine = database_server.connect(name)
    try:
        yield engine
    finally:
        engine.dispose()
        database_server.drop(name)
