"""Death and other interruptions between any two statements of a process."""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlmodel import Session

# A step has up to about so many boundaries: between statements, commits and requests to a node.
BOUNDARIES = (10, 40, 120)
LOCK_TIMEOUT = "300ms"


class Killed(BaseException):
    """The process is dead: nothing of it may catch this."""


class Interruption(StrEnum):
    KILL = "the process is killed"
    DATABASE = "the database closes every connection"
    OTHER = "another process does a whole step"


class Boundaries:
    """Counts the boundaries that a step passes, and interrupts it at one chosen before."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.what: Interruption | None = None
        self.acts: dict[Interruption, Callable[[], None]] = {}
        self.counts: Counter[Interruption] = Counter()
        self.open_transactions = 0
        self.dead = False

    def revive(self) -> None:
        """The next process begins: of the one that died, no transaction is open any more."""
        self.dead, self.open_transactions = False, 0

    def arm(self, what: Interruption, chance: Random) -> None:
        self.what, self.left = what, chance.randint(1, chance.choice(BOUNDARIES))

    def disarm(self) -> None:
        self.what = self.left = None

    def passed(self, *_: Any) -> None:
        """Of a dead process nothing more is done, whatever its `finally` says."""
        if self.dead:
            raise Killed
        if self.left is None or self.what is None:
            return
        self.left -= 1
        # Another process would wait for this one's locks, and this one for it.
        if self.left > 0 or (self.what is Interruption.OTHER and self.open_transactions > 0):
            return
        what = self.what
        self.disarm()
        self.counts[what] += 1
        if what is Interruption.KILL:
            self.dead = True
            raise Killed
        self.acts[what]()

    def watch(self, engine: Engine) -> None:
        """Have the boundaries of an engine's statements counted."""
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(engine, name, self.passed)

    def listeners(self) -> list[tuple[Any, str, Callable[..., None]]]:
        """Of every session in this process: commits, and whether a transaction is open."""
        return [
            (Session, "after_commit", self.passed),
            (Session, "after_transaction_create", self.begun),
            (Session, "after_transaction_end", self.ended),
        ]

    def watch_sessions(self) -> None:
        for target, name, act in self.listeners():
            event.listen(target, name, act)

    def unwatch_sessions(self) -> None:
        for target, name, act in self.listeners():
            event.remove(target, name, act)

    def begun(self, *_: Any) -> None:
        self.open_transactions += 1

    def ended(self, *_: Any) -> None:
        self.open_transactions -= 1


class Connections:
    """The connections of one process: they end when it does."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.seed = engine, 0.0
        self.open: list[psycopg.Connection[Any]] = []
        event.listen(engine, "connect", self.opened)

    def opened(self, connection: psycopg.Connection[Any], _: Any) -> None:
        """Chance in queries comes from the seed, too; a lone thread waits for no lock."""
        connection.execute(
            "select setseed(%s), set_config('lock_timeout', %s, false)", [self.seed, LOCK_TIMEOUT]
        )
        connection.commit()
        self.open.append(connection)

    def close(self) -> None:
        for connection in self.open:
            connection.close()
        self.open.clear()
        self.engine.dispose()
