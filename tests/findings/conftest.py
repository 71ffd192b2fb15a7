"""A world on a real chain, for what reviews found."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.chain import Anvil
from tests.findings.two_nodes import TwoNodes
from tests.sending.world import SendingWorld


@pytest.fixture
def live(engine: Engine, anvil: Anvil) -> Iterator[SendingWorld]:
    world = SendingWorld(engine, anvil)
    try:
        yield world
    finally:
        world.close()


@pytest.fixture
def two(engine: Engine) -> Iterator[TwoNodes]:
    world = TwoNodes(engine)
    try:
        yield world
    finally:
        world.watcher.lock.release()
