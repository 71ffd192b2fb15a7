"""Several nodes: the best one answers, and only what all of them say counts for sure."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_bloom.bloom import BloomFilter

from coordinator.adapters.chain.nodes import (
    MAX_LAG_BLOCKS,
    MAX_NODES,
    REST_SECONDS,
    Agreed,
    Pool,
    Ranked,
)
from coordinator.domain.bloom import may_hold
from coordinator.domain.chain_logs import TOPICS
from coordinator.services.ports import NodeDown, NodesDisagree
from tests.chain import account_of
from tests.fake_chain import FakeChain, transfer

TOKEN, OWNER, VAULT = (account_of(name).address for name in ("token", "owner", "vault"))


class Flaky:
    """A node that fails while it is `down`, and counts what it is asked."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain, self.down, self.asked = chain, False, 0

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def ask(*arguments: Any) -> Any:
            self.asked += 1
            if self.down:
                raise NodeDown("down")
            return getattr(self.chain, method)(*arguments)

        return ask


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Nodes:
    """Nodes of one chain, each with a copy of its own."""

    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.chains = [FakeChain() for _ in range(count)]
        self.flaky = [Flaky(chain) for chain in self.chains]
        members: Any = [(f"node {i}", node) for i, node in enumerate(self.flaky)]
        self.pool = Pool(members, self.clock)
        self.ranked, self.agreed = Ranked(self.pool), Agreed(self.pool)

    def mine(self, *events: Any) -> None:
        for chain in self.chains:
            chain.mine(*events)
            chain.finalize()


@pytest.mark.parametrize("count", [0, MAX_NODES + 1])
def test_how_many_nodes_there_may_be(count: int) -> None:
    with pytest.raises(ValueError, match="there must be 1 to 8"):
        Nodes(count)


# The best node


def test_the_next_node_answers_for_one_that_is_down() -> None:
    nodes = Nodes(2)
    nodes.flaky[0].down = True
    assert nodes.ranked.final_head().number == 0


def test_a_node_that_failed_rests() -> None:
    nodes = Nodes(2)
    nodes.flaky[0].down = True
    nodes.ranked.final_head()
    asked = nodes.flaky[0].asked
    nodes.ranked.final_head()
    assert nodes.flaky[0].asked == asked
    nodes.clock.now += REST_SECONDS
    nodes.ranked.final_head()
    assert nodes.flaky[0].asked == asked + 1


def test_all_nodes_are_down() -> None:
    nodes = Nodes(2)
    for node in nodes.flaky:
        node.down = True
    with pytest.raises(NodeDown):
        nodes.ranked.final_head()


def test_a_node_that_is_behind_does_not_hide_a_block() -> None:
    nodes = Nodes(2)
    nodes.chains[1].mine()
    header = nodes.ranked.header(1)
    assert header is not None
    assert nodes.ranked.header(2) is None


def test_a_node_on_another_chain_below_the_final_block_is_asked_last() -> None:
    nodes = Nodes(2)
    nodes.mine()
    nodes.agreed.final_head()
    nodes.chains[0].reorg(1)
    nodes.chains[0].mine()
    wrong = nodes.ranked.header(1)
    right = nodes.ranked.header(1)
    assert wrong != right == nodes.chains[1].header(1)


def fork(nodes: Nodes, number: int) -> None:
    """This node's newest block, and what follows it, are others than the others'."""
    nodes.chains[number].reorg(1)
    nodes.chains[number].mine()


def test_the_block_that_follows_is_of_the_next_node_if_the_best_ones_does_not_tie() -> None:
    nodes = Nodes(3)
    nodes.mine()
    fork(nodes, 0)
    for chain in nodes.chains[:2]:
        chain.mine()
    parent = nodes.chains[1].blocks[1].hash
    assert nodes.ranked.child(2, parent) == nodes.chains[1].head()
    reports = nodes.pool.report()
    assert [report.state for report in reports] == ["down", "healthy", "healthy"]
    assert reports[0].reason == "its block 2 ties to no block that was read"
    nodes.pool.ask_all("head")
    assert nodes.pool.report()[0].reason == reports[0].reason, "until it has rested"


def test_a_reorg_is_no_nodes_fault() -> None:
    nodes = Nodes(2)
    nodes.mine()
    replaced = nodes.chains[0].head().hash
    for number in range(2):
        fork(nodes, number)
    nodes.mine()
    assert nodes.ranked.child(2, replaced) is None
    assert {report.state for report in nodes.pool.report()} == {"healthy"}


def test_the_block_that_follows_may_be_that_of_a_node_that_is_down() -> None:
    nodes = Nodes(2)
    parent = nodes.chains[0].head().hash
    assert nodes.ranked.child(1, parent) is None
    nodes.flaky[0].down = True
    with pytest.raises(NodeDown):
        nodes.ranked.child(1, parent)
    nodes.mine()
    assert nodes.ranked.child(1, parent) == nodes.chains[1].head()


# What all say


def test_one_node_agrees_with_itself() -> None:
    nodes = Nodes(1)
    nodes.mine(transfer(TOKEN, OWNER, VAULT, 5))
    assert nodes.agreed.token_balance(TOKEN, VAULT) == 5


def test_the_final_head_is_the_lowest() -> None:
    nodes = Nodes(3)
    nodes.mine()
    nodes.chains[1].mine()
    nodes.chains[1].finalize()
    assert nodes.agreed.final_head() == nodes.chains[0].head()


def test_one_node_that_is_down_holds_up_what_all_must_say() -> None:
    nodes = Nodes(2)
    nodes.flaky[1].down = True
    with pytest.raises(NodeDown):
        nodes.agreed.final_head()


def test_two_hashes_of_one_final_block() -> None:
    nodes = Nodes(2)
    nodes.mine()
    nodes.chains[1].reorg(1)
    nodes.chains[1].mine()
    with pytest.raises(NodesDisagree, match=r"node 0: 0x.*node 1: 0x"):
        nodes.agreed.final_head()


@pytest.mark.parametrize("invented", [0, 7])
def test_a_lie_about_logs_or_balances(invented: int) -> None:
    """One node leaves a transfer out or invents one."""
    nodes = Nodes(2)
    nodes.mine(transfer(TOKEN, OWNER, VAULT, 5))
    liar = nodes.chains[1]
    block_hash = liar.head().hash
    liar.logs = []
    if invented:
        liar.reorg(1)
        liar.forks = 0
        liar.mine(transfer(TOKEN, OWNER, VAULT, 5), transfer(TOKEN, OWNER, VAULT, invented))
    assert liar.head().hash == block_hash
    with pytest.raises(NodesDisagree, match="logs_of_block"):
        nodes.agreed.logs_of_block(block_hash, TOPICS)
    with pytest.raises(NodesDisagree, match="token_balance"):
        nodes.agreed.token_balance(TOKEN, VAULT)
    with pytest.raises(NodesDisagree, match="logs_in_range"):
        nodes.agreed.logs_in_range(0, 1, [], None)


def test_logs_in_another_order_are_the_same() -> None:
    nodes = Nodes(2)
    nodes.mine(transfer(TOKEN, OWNER, VAULT, 5), transfer(TOKEN, OWNER, VAULT, 6))
    nodes.chains[1].logs.reverse()
    assert len(nodes.agreed.logs_in_range(0, 1, [], None)) == 2


# A block's filter


def test_a_blocks_filter_lets_its_logs_be_there() -> None:
    parts = [bytes([1]) * 20, bytes([2]) * 32]
    bloom = int(BloomFilter.from_iterable(parts))
    assert may_hold(bloom, parts)
    assert not may_hold(bloom, [*parts, bytes([3]) * 32])
    assert not may_hold(0, parts)


# How they are


def test_what_the_operator_sees_of_each_node() -> None:
    nodes = Nodes(3)
    for _ in range(MAX_LAG_BLOCKS + 1):
        nodes.chains[0].mine()
        nodes.chains[1].mine()
    nodes.ranked.head()
    nodes.pool.threads.shutdown()
    nodes.flaky[1].down = True
    health, node = nodes.pool.members[1]
    with pytest.raises(NodeDown):
        nodes.pool.ask(health, node, "head")
    states = [(r.name, r.state, r.reason) for r in nodes.pool.report()]
    assert states == [
        ("node 0", "healthy", ""),
        ("node 1", "down", "down"),
        ("node 2", "behind", f"{MAX_LAG_BLOCKS + 1} blocks"),
    ]


def test_a_disagreement_is_shown_until_it_is_over() -> None:
    nodes = Nodes(2)
    nodes.mine()
    nodes.chains[1].reorg(1)
    nodes.chains[1].mine()
    with pytest.raises(NodesDisagree):
        nodes.agreed.final_head()
    assert {report.state for report in nodes.pool.report()} == {"disagrees"}
    nodes.chains[1].blocks[-1] = nodes.chains[0].head()
    nodes.agreed.final_head()
    assert {report.state for report in nodes.pool.report()} == {"healthy"}
