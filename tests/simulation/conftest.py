"""A hall for the seeds that pytest runs."""

from collections.abc import Iterator

import pytest
import structlog

from tests.database import DatabaseServer
from tests.simulation.hall import Hall
from tests.simulation.runner import quiet


@pytest.fixture(scope="session")
def hall(database_server: DatabaseServer) -> Iterator[Hall]:
    """One database for many seeds, one after the other."""
    name = database_server.create()
    made = Hall(database_server.url(name))
    try:
        yield made
    finally:
        made.close()
        database_server.drop(name)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    quiet()
    yield
    structlog.reset_defaults()
