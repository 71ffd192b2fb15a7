"""The API, served on a loopback port, with a coordinator's books behind it."""

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import httpx
import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk.client import Client
from otc_sdk.platform import Platform

from coordinator.api.app import create_app
from coordinator.api.context import Context
from coordinator.api.rate_limits import RateLimits
from tests.serving import served
from tests.world import PLATFORM, World

KNOWN = Platform.read({**vars(PLATFORM), **vars(PLATFORM.domain)})
Sign = Callable[[LocalAccount], Client]


@pytest.fixture
def limits() -> RateLimits:
    return RateLimits()


@pytest.fixture
def api(world: World, limits: RateLimits) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        domain = f"127.0.0.1:{listener.getsockname()[1]}"
        context = Context(
            engine=world.engine,
            platform=world.platform,
            verify_1271=world.chain.verify_1271,
            now=lambda: world.now,
            public_domain=domain,
            rate_limits=limits,
        )
        with served(create_app(context), listener):
            yield f"http://{domain}"


@pytest.fixture
def http(api: str) -> Iterator[httpx.Client]:
    """Nobody in particular."""
    with httpx.Client(base_url=api, trust_env=False) as client:
        yield client


@pytest.fixture
def client(api: str, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sign]:
    """`client(account)` is that account's client, signed in; the same at every call. Its clock is
    the world's, whatever the day of the test."""
    monkeypatch.setattr("otc_sdk.client.time", SimpleNamespace(time=lambda: world.now))
    made: dict[str, Client] = {}

    def sign_in(account: LocalAccount) -> Client:
        if account.address not in made:
            made[account.address] = Client(
                api, account, escrow=PLATFORM.domain.escrow, pinned=[KNOWN]
            )
            made[account.address].sign_in()
        return made[account.address]

    yield sign_in
    for one in made.values():
        one.http.close()
