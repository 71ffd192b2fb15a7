"""A coordinator on a real chain that is well, and its settings: `pytest_plugins` of this folder.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from coordinator.api.cosigner import create_app
from coordinator.api.request_rate import RequestRate
from tests.chain import Anvil
from tests.findings.world import LiveWorld
from tests.serving import served
from tests.world import ARBITRATOR, COORDINATOR, STRANGER

SECRET = "a-secret-key-in-the-url"
Settings = dict[str, str]


@pytest.fixture
def live(engine: Engine, anvil: Anvil) -> Iterator[LiveWorld]:
    world = LiveWorld(engine, anvil)
    yield world
    world.sender.lock.release()
    world.watcher.lock.release()


@pytest.fixture
def cosigner() -> Iterator[int]:
    """The port of a co-signer that nobody asks to sign."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = create_app(lambda _: "", lambda: None, COORDINATOR.address, "token", RequestRate(1))
        with served(app, listener):
            yield listener.getsockname()[1]


@pytest.fixture
def settings(live: LiveWorld, cosigner: int) -> Settings:
    """Of a coordinator that is well, as `otc up` or an operator would give them."""
    domain, url = live.platform.domain, live.anvil.url
    return {
        "DATABASE_URL": live.engine.url.render_as_string(hide_password=False),
        "OTC_RPC_URL": f"{url}/?key={SECRET}",
        "OTC_CHAIN_ID": str(domain.chain_id),
        "OTC_ESCROW": domain.escrow,
        "OTC_TOKEN": live.platform.token,
        "OTC_FINALITY": "2",
        "OTC_COORDINATOR": COORDINATOR.address,
        "OTC_ARBITRATOR": ARBITRATOR.address,
        "OTC_FEE_RECIPIENT": STRANGER.address,
        "OTC_COSIGNER_PORT": str(cosigner),
        "COLUMNS": "200",
    }
