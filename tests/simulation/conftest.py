"""A hall for the seeds that pytest runs, and the benches of the conformance tests."""

from collections.abc import Iterator

import pytest
import structlog

from tests.simulation.bench import AnvilBench, Bench, FakeBench, anvil_bench
from tests.simulation.hall import Hall
from tests.simulation.runner import open_hall, quiet


@pytest.fixture(scope="package")
def hall() -> Iterator[Hall]:
    """One database for many seeds, one after the other."""
    with open_hall() as made:
        yield made


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    quiet()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="package")
def real() -> Iterator[AnvilBench]:
    with anvil_bench() as bench:
        yield bench


@pytest.fixture(params=["fake", "anvil"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "fake":
        return FakeBench()
    made: AnvilBench = request.getfixturevalue("real")
    return made
