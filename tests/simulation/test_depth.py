"""The same faults in depth: the real contracts on anvil, behind proxies with real sockets."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine

from coordinator.adapters.chain.node import Node, open_web3
from coordinator.adapters.chain.nodes import Agreed, Pool
from coordinator.services.ports import NodeDown
from tests.chain import Anvil
from tests.findings.world import FINAL_AFTER_BLOCKS, LiveWorld
from tests.simulation.faults import LIES, LINE, Fault, Line
from tests.simulation.proxy import Proxy, forward
from tests.watching import watcher_over
from tests.world import AMOUNT, BUYER, SELLER

ORDERS = 3
MAX_ROUNDS, MAX_HEALING_ROUNDS = 200, 100
REORG_EVERY_ROUNDS = 6
FAULT_RATE = 0.1
FAULTS = tuple(fault for fault in (*LINE, Fault.EMPTY_LOGS) if fault is not Fault.TWICE)
# Lies about what is asked for at every step: logs, blocks, heads, counts.
TOLD = tuple(lie for lie in LIES if lie.name.startswith(("LOGS", "FUTURE", "HEAD", "NONCE")))
VALID_SECONDS = 86_400


class DeepWorld(LiveWorld):
    """Watcher, co-signer and sender reach anvil over two lines; what is behind the second lies."""

    def __init__(self, engine: Engine, anvil: Anvil, chance: Random) -> None:
        super().__init__(engine, anvil)
        self.chance = chance
        ask = forward(anvil.url)
        self.lines = [Line(ask, chance), Line(ask, chance)]

    def go_behind(self, urls: list[str]) -> None:
        pool = Pool([(url, Node(url, str(FINAL_AFTER_BLOCKS))) for url in urls])
        self.watcher.lock.release()
        self.chain = Agreed(pool)
        self.watcher = watcher_over(pool, self.engine, self.platform, 0, lambda: self.now)
        self.account.w3 = open_web3(*urls)

    def spoil(self) -> None:
        for line in self.lines:
            line.kinds, line.rate = FAULTS, FAULT_RATE
        self.lines[1].lies = LIES

    def heal(self) -> None:
        for line in self.lines:
            line.heal()

    def work(self) -> None:
        for step in (self.watcher.step, self.keeper.step, self.sender.step):
            with suppress(NodeDown):
                step()
        self.anvil.rpc("evm_mine")
        self.ahead_seconds += 15

    def reorg(self) -> None:
        """As deep as no chain's promise is broken; what the lost blocks held is lost."""
        depth = self.chance.randint(1, FINAL_AFTER_BLOCKS)
        self.anvil.rpc("anvil_rollback", depth)
        self.anvil.rpc("anvil_dropAllTransactions")
        self.anvil.rpc("anvil_mine", hex(depth))

    def happened(self) -> set[Fault]:
        return {fault for line in self.lines for fault in line.counts}


@pytest.fixture(params=[7, 8], ids=lambda seed: f"seed {seed}")
def live(engine: Engine, anvil: Anvil, request: Any) -> Iterator[DeepWorld]:
    world = DeepWorld(engine, anvil, Random(request.param))
    yield world
    world.sender.lock.release()
    world.watcher.lock.release()


def test_orders_are_settled_once_whatever_lines_and_nodes_do(live: DeepWorld) -> None:
    other, *ids = [live.funded() for _ in range(1 + ORDERS)]
    before = live.tokens(BUYER.address)
    for order_id in ids:
        live.mark_paid(order_id)
        live.sign_settlement(order_id, SELLER, AMOUNT, live.now + VALID_SECONDS)
    with ExitStack() as proxies:
        live.go_behind([proxies.enter_context(Proxy(line)).url for line in live.lines])
        live.spoil()
        for number in range(1, MAX_ROUNDS + 1):
            live.fund(other, 1)  # so that there are logs
            live.work()
            if number % REORG_EVERY_ROUNDS == 0:
                live.reorg()
            if live.happened() >= {*FAULTS, *TOLD}:
                break
        live.heal()
        for _ in range(MAX_HEALING_ROUNDS):
            live.work()
            if {live.status(order_id) for order_id in ids} == {"completed"}:
                break
        assert live.happened() >= {*FAULTS, *TOLD}
        assert [live.status(order_id) for order_id in ids] == ["completed"] * ORDERS
        fee = live.terms(ids[0]).fee_units
        assert live.tokens(BUYER.address) - before == ORDERS * (AMOUNT - fee)
        assert all(live.tokens(live.order(order_id).vault) == 0 for order_id in ids)
