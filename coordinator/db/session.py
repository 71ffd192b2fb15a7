"""The engine and its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session

from coordinator.domain.errors import Conflict

POOL_SIZE = 10
CONNECT_TIMEOUT_SECONDS = 5
# A lock that is waited for longer is a fault, not a queue.
LOCK_TIMEOUT = "10s"


class DatabaseDown(Exception):
    """The database does not answer."""


def make_engine(url: str) -> Engine:
    """Engine for a PostgreSQL URL (psycopg 3)."""
    if url.startswith("postgresql://"):
        url = "postgresql+psycopg://" + url.removeprefix("postgresql://")
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": f"-c lock_timeout={LOCK_TIMEOUT} -c timezone=UTC",
        },
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One transaction: committed at the end, rolled back on any error.

    Raises Conflict if a row with a version was changed by another in between.
    """
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except StaleDataError as stale:
        raise Conflict("changed_meanwhile", "it changed meanwhile; read it again") from stale


def require_up(engine: Engine) -> None:
    """Raise DatabaseDown, naming the server but no password, if it does not answer."""
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except OperationalError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise DatabaseDown(f"no database answers at {shown}: {error.orig}") from error
