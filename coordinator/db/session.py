"""The engine and its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel import Session

from coordinator.domain.errors import Conflict

DRIVER = "postgresql+psycopg"
POOL_SIZE = 10
CONNECT_TIMEOUT_SECONDS = 5
# A lock that is waited for longer is a fault, not a queue.
LOCK_TIMEOUT = "10s"


class DatabaseDown(Exception):
    """The database does not answer."""


def postgresql_url(given: str) -> URL:
    """Raises ValueError, which does not repeat what was given: it may hold a password."""
    try:
        url = make_url(given)
        if url.drivername not in ("postgresql", DRIVER):
            raise ValueError("another database")
        url = url.set(drivername=DRIVER)
        _, options = url.get_dialect()().create_connect_args(url)
        make_conninfo(**options)
    except (ArgumentError, ValueError, ProgrammingError):
        raise ValueError(
            "must be postgresql://USER:PASSWORD@HOST:PORT/NAME with no options but libpq's, and "
            "special characters as %XX"
        ) from None
    return url


def make_engine(url: str) -> Engine:
    """Engine for a PostgreSQL URL (psycopg 3). Raises ValueError as postgresql_url does."""
    return create_engine(
        postgresql_url(url),
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
