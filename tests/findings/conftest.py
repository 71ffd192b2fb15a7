"""A world on a real chain, for what reviews found."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.chain import Anvil
from tests.findings.world import LiveWorld


@pytest.fixture
def live(engine: Engine, anvil: Anvil) -> Iterator[LiveWorld]:
    world = LiveWorld(engine, anvil)
    try:
        yield world
    finally:
        world.sender.lock.release()
        world.watcher.lock.release()
