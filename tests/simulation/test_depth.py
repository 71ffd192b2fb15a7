"""The same faults in depth: the real contracts on anvil, behind a proxy with real sockets."""

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from coordinator.adapters.chain.node import open_web3
from coordinator.services.ports import NodeDown
from tests.chain import Anvil
from tests.findings.world import LiveWorld
from tests.simulation.faults import LINE, Fault, Line
from tests.simulation.proxy import Proxy, forward
from tests.world import AMOUNT, BUYER, SELLER

ORDERS = 3
ROUNDS = 40
FAULTS = tuple(fault for fault in (*LINE, Fault.EMPTY_LOGS) if fault is not Fault.TWICE)


def behind(live: LiveWorld, url: str) -> None:
    """Watcher, co-signer and sender reach the chain through another address."""
    live.chain.provider = open_web3(url).provider
    live.account.w3 = open_web3(url)


def work(live: LiveWorld) -> None:
    for step in (live.watcher.step, live.keeper.step, live.sender.step):
        with suppress(NodeDown):
            step()
    live.anvil.rpc("evm_mine")
    live.ahead_seconds += 15


@pytest.fixture
def live(engine: Engine, anvil: Anvil) -> Iterator[LiveWorld]:
    world = LiveWorld(engine, anvil)
    yield world
    world.sender.lock.release()
    world.watcher.lock.release()


def test_orders_are_settled_once_through_a_bad_line(live: LiveWorld, anvil: Anvil) -> None:
    provider: Any = anvil.w3.provider
    line = Line(forward(str(provider.endpoint_uri)), Random(7))
    ids = [live.funded() for _ in range(ORDERS)]
    before = live.tokens(BUYER.address)
    for order_id in ids:
        live.mark_paid(order_id)
        live.sign_settlement(order_id, SELLER, AMOUNT)
    with Proxy(line) as proxy:
        behind(live, proxy.url)
        line.kinds, line.rate = FAULTS, 0.15
        for _ in range(ROUNDS):
            work(live)
        line.heal()
        live.mine()
        live.carry(2)
        assert [live.status(order_id) for order_id in ids] == ["completed"] * ORDERS
        fee = live.terms(ids[0]).fee_units
        assert sum(line.counts.values()) > ROUNDS
        assert live.tokens(BUYER.address) - before == ORDERS * (AMOUNT - fee)
        assert all(live.tokens(live.order(order_id).vault) == 0 for order_id in ids)
