"""What one operating-system process keeps for all its seeds: a database and its connections."""

from time import sleep
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row
from sqlalchemy import Engine

from coordinator.db.session import make_engine
from coordinator.db.tables import metadata
from tests.simulation.interruptions import Boundaries, Connections

# The coordinator's processes. The rival is a second watcher, started by mistake.
SENDERS = ("sender", "sender 2")
PROCESSES = ("watcher", *SENDERS, "keeper", "rival", "api")

LOOK_SECONDS, MAX_LOOKS = 0.001, 10_000


class Hall:
    """`reader` sees the books past the coordinator's own code."""

    def __init__(self, url: str) -> None:
        self.boundaries = Boundaries()
        self.boundaries.watch_sessions()
        self.engines: dict[str, Engine] = {name: make_engine(url) for name in PROCESSES}
        self.connections = {name: Connections(engine) for name, engine in self.engines.items()}
        for engine in self.engines.values():
            self.boundaries.watch(engine)
            # A ping before each transaction hides restarts of the database; here they show.
            engine.pool._pre_ping = False
        plain = url.replace("postgresql+psycopg://", "postgresql://")
        self.reader = psycopg.connect(plain, autocommit=True, row_factory=namedtuple_row)
        # Deleting would be quicker, but the next seed's rows would lie in the gaps, and be found in
        # another order than in a seed that runs alone.
        names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
        self.emptying = f"truncate {names} restart identity"

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.reader.execute(query, values or None).fetchall()

    def empty(self) -> None:
        """No process runs and the books are new."""
        for connections in self.connections.values():
            connections.close()
        self.reader.execute(self.emptying)

    def end_others(self) -> None:
        """End every connection but the reader's, and see them gone."""
        others = (
            "from pg_stat_activity where pid <> pg_backend_pid()"
            " and datname = current_database() and backend_type = 'client backend'"
        )
        # With a time to wait, pg_terminate_backend looks every 100 ms only.
        self.rows(f"select pg_terminate_backend(pid) {others}")
        for _ in range(MAX_LOOKS):
            if not self.rows(f"select pid {others}"):
                return
            sleep(LOOK_SECONDS)
        raise TimeoutError("connections that do not end")

    def close(self) -> None:
        self.boundaries.unwatch_sessions()
        for connections in self.connections.values():
            connections.close()
        self.reader.close()
