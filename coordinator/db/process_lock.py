"""A lock that one process holds as long as its connection lives: PostgreSQL's advisory lock."""

from contextlib import suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError


class LockTaken(Exception):
    """Another process holds the lock."""


class ProcessLock:
    """`key` names what only one process may do at a time."""

    def __init__(self, engine: Engine, key: str) -> None:
        self.engine, self.key = engine, key
        self.connection: Connection | None = None

    def hold(self) -> None:
        """Take the lock, or make sure that it is still held. Raises LockTaken."""
        try:
            if self.connection is not None:
                self.connection.execute(text("select 1"))
                return
            self.connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            query = text("select pg_try_advisory_lock(hashtextextended(:key, 0))")
            held = bool(self.connection.execute(query, {"key": self.key}).scalar())
        except (OperationalError, InterfaceError):
            self.release()
            raise
        if not held:
            self.release()
            raise LockTaken(f"another process holds {self.key}")

    def release(self) -> None:
        """Close the connection itself: one that went back to the pool would keep the lock."""
        if self.connection is not None:
            with suppress(OperationalError, InterfaceError, PendingRollbackError):
                self.connection.execute(text("select pg_advisory_unlock_all()"))
            self.connection.invalidate()
            self.connection.close()
            self.connection = None
