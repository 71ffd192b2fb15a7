"""Waking workers through PostgreSQL's LISTEN and NOTIFY. Polling stays the truth.

A notification is sent when the transaction that wrote the work commits, and not if it does not.
"""

import threading
from collections.abc import Callable
from enum import StrEnum

import psycopg
import structlog
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

log = structlog.get_logger()
# A connection that broke without a word is noticed after this.
CHECK_SECONDS = 30
RECONNECT_SECONDS = 5


class Channel(StrEnum):
    """Whose work was written."""

    KEEPER = "otc_keeper"
    SENDER = "otc_sender"


def notify(session: Session, channel: Channel) -> None:
    """Wake the channel's workers when this transaction commits."""
    session.connection().execute(text("select pg_notify(:channel, '')"), {"channel": channel})


class Listener:
    """Calls `wake` at each notification, on a thread of its own.

    A connection that cannot listen, or is lost, is only a warning: the workers still poll.
    """

    def __init__(self, engine: Engine, channel: Channel, wake: Callable[[], None]) -> None:
        self.engine, self.channel, self.wake = engine, channel, wake
        self.stopped = threading.Event()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.run, name=channel, daemon=True)

    def __enter__(self) -> "Listener":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask it to end; it does not hold the process up."""
        self.stopped.set()

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.listen()
            except (psycopg.Error, SQLAlchemyError) as error:
                words = str(error).splitlines()[0]
                log.warning("not listening, only polling", channel=self.channel, error=words)
            self.listening.clear()
            self.stopped.wait(RECONNECT_SECONDS)

    def listen(self) -> None:
        """Until stopped. Raises psycopg.Error or SQLAlchemyError when the connection is lost."""
        pooled = self.engine.raw_connection()
        connection = pooled.driver_connection
        # Not back to the pool: there it would collect notifications for ever.
        pooled.detach()
        if not isinstance(connection, psycopg.Connection):
            raise psycopg.NotSupportedError("notifications need psycopg")
        with connection:
            connection.autocommit = True
            connection.execute(f"listen {self.channel}")
            self.listening.set()
            self.wake()  # for what was written while nobody listened
            while not self.stopped.is_set():
                for _ in connection.notifies(timeout=CHECK_SECONDS, stop_after=1):
                    self.wake()
                connection.execute("select 1")
