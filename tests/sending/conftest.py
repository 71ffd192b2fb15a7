"""The sender on a real chain, with a real database."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.chain import Anvil
from tests.sending.world import SendingWorld


@pytest.fixture
def world(engine: Engine, anvil: Anvil) -> Iterator[SendingWorld]:
    made = SendingWorld(engine, anvil)
    try:
        yield made
    finally:
        made.close()
