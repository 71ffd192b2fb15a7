"""One of two nodes hides a refund request, or holds up the chain: the buyer is still defended.

The other node is asked for the order's state by itself, whatever became of its blocks.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from otc_sdk.policy import State
from structlog.testing import capture_logs

from coordinator.adapters.chain import witnesses
from coordinator.adapters.chain.witnesses import MAX_FAILURES_IN_ROW, NodeWitnesses
from coordinator.db.session import transaction
from coordinator.services import halting
from coordinator.services.chain import EpochLost
from coordinator.services.ports import Header, NodeDown, RawLog
from coordinator.workers import watchtower
from coordinator.workers.watchtower import WATCH_EVERY_SECONDS
from tests.fake_chain import FakeChain
from tests.findings.two_nodes import TwoNodes
from tests.world import SELLER, World, watcher_of

BLOCKS = 10
WAIT_SECONDS = 30
Prepare = Callable[[World], None]


class Untied:
    """A node whose blocks from a height on have a parent that is no block; none is ever final."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain, self.first = chain, len(chain.blocks)

    def __getattr__(self, method: str) -> Any:
        return getattr(self.chain, method)

    def header(self, number: int) -> Header | None:
        header = self.chain.header(number)
        if header is None or number < self.first:
            return header
        return replace(header, parent_hash="0x" + "ee" * 32)

    def final_head(self) -> Header:
        return self.chain.blocks[min(self.chain.final_number, self.first - 1)]


def put_first(two: TwoNodes, node: Any) -> None:
    health, _ = two.pool.members[0]
    two.pool.members[0] = health, node


def hide(two: TwoNodes) -> None:
    """The liar's blocks from now on hold nothing, and their filters say so."""
    first = len(two.chain.blocks)

    def shown(logs: list[RawLog]) -> list[RawLog]:
        return [log for log in logs if log.block_number < first]

    liar: Any = two.liar
    liar.logs_of_block = lambda *query: shown(two.chain.logs_of_block(*query))
    liar.logs_in_range = lambda *query: shown(two.chain.logs_in_range(*query))


def request_refund(world: World, order_id: str) -> None:
    """On chain; nobody has read it yet."""
    world.chain.mine(world.event("RefundRequested", order_id), at=world.terms(order_id).pay_by)


def keep_reading(two: TwoNodes) -> None:
    for _ in range(BLOCKS):
        two.chain.mine()
        two.chain.finalize()
        two.read_in_vain()


def disputes_of(world: World) -> list[str]:
    return [intent.key for intent in world.intents()]


def witness(node: Any, answer: Callable[[str], State]) -> list[str]:
    """The node answers so where its newest block is asked for; the orders that it is asked for."""
    real, asked = node.escrow_state, list[str]()

    def escrow_state(escrow: str, order_id: str, block: int | None = None) -> State:
        if block is not None:
            return real(escrow, order_id, block)
        asked.append(order_id)
        return answer(order_id)

    node.escrow_state = escrow_state
    return asked


def accuse(world: World) -> list[str]:
    """The node says of every order that a refund was requested; the orders it is asked for."""
    return witness(world.chain, lambda _: State(refund_requested_at=1))


def busy(_: str) -> State:
    raise NodeDown("busy")


def overdue(world: World, count: int = 1) -> list[str]:
    """Orders whose buyers paid, and whose sellers may ask for a refund since the newest block."""
    orders = [world.paid() for _ in range(count)]
    world.chain.mine(at=max(world.terms(order_id).pay_by for order_id in orders))
    return orders


def look(world: World) -> None:
    """A step of the watcher, whatever it fails at."""
    with suppress(NodeDown):
        world.watcher.step()


def look_later(world: World) -> None:
    world.chain.mine(at=world.now + WATCH_EVERY_SECONDS)
    look(world)


# What one node does


def test_one_node_hides_the_request(two: TwoNodes) -> None:
    """Found: its empty blocks were seen, nothing became final, and the seller refunded by time."""
    order_id = two.paid()
    hide(two)
    request_refund(two, order_id)
    keep_reading(two)
    assert two.escrow(order_id).refund_requested_at == 0
    assert disputes_of(two) == [f"dispute:{order_id}:buyer"]


def test_one_nodes_blocks_tie_to_nothing(two: TwoNodes) -> None:
    """Found: the other one's were not asked for, and nothing more was seen, without a word."""
    order_id = two.paid()
    put_first(two, Untied(two.chain))
    request_refund(two, order_id)
    keep_reading(two)
    assert two.escrow(order_id).refund_requested_at == two.terms(order_id).pay_by
    assert two.cursor().hash == two.chain.head().hash
    assert disputes_of(two) == [f"dispute:{order_id}:buyer"]
    untied, honest = two.pool.report()
    assert (untied.state, honest.state) == ("down", "healthy")
    assert "ties to no block" in untied.reason


def test_no_nodes_blocks_tie(world: World) -> None:
    """Found: the watcher waited without a word."""
    order_id = world.paid()
    world.chain.mine()
    world.chain.blocks[-1] = replace(world.chain.head(), parent_hash="0x" + "ee" * 32)
    request_refund(world, order_id)
    with capture_logs() as logs:
        for _ in range(3):
            world.read()
    said = [entry for entry in logs if entry["event"] == "nothing follows"]
    assert [entry["block"] for entry in said] == [world.cursor().number]
    assert disputes_of(world) == [f"dispute:{order_id}:buyer"]


def test_a_node_is_silent(two: TwoNodes) -> None:
    """Neither the watcher nor the other node waits for it, and it is asked one thing at a time."""
    order_id, released = two.paid(), threading.Event()
    hide(two)
    asked = witness(two.liar, lambda _: State(released.wait(WAIT_SECONDS)))
    two.watcher.watchtower.witnesses = NodeWitnesses(two.pool)
    request_refund(two, order_id)
    try:
        until = time.monotonic() + WAIT_SECONDS / 2
        while not two.intents() and time.monotonic() < until:
            look_later(two)
        look_later(two)
        assert time.monotonic() < until
    finally:
        released.set()
    assert disputes_of(two) == [f"dispute:{order_id}:buyer"]
    assert asked == [order_id]


def test_a_node_fails(two: TwoNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left alone until the next time, and one line says so; the other one is heard."""
    monkeypatch.setattr(witnesses, "MAX_FAILURES_IN_ROW", 2)
    orders = overdue(two, 3)
    failed, others = witness(two.liar, busy), accuse(two)
    with capture_logs() as logs:
        look(two)
    assert len(failed) == 2
    assert sorted(others) == sorted(orders)
    assert [entry["reason"] for entry in logs if entry["event"] == "a witness failed"] == ["busy"]
    assert len(two.intents()) == 3


def test_a_node_fails_now_and_then(two: TwoNodes) -> None:
    """Where many orders are asked for, single failures leave none of the rest out."""
    orders = overdue(two, 2 * MAX_FAILURES_IN_ROW)
    asked = witness(two.liar, lambda order_id: busy(order_id) if len(asked) % 2 else State())
    look(two)
    assert sorted(asked) == sorted(orders)


# Who is defended


def who_did_not_pay(world: World) -> None:
    order_id = world.funded()
    world.chain.mine(at=world.terms(order_id).pay_by)


def whose_seller_alone_disputes(world: World) -> None:
    order_id = world.funded()
    world.open_dispute(order_id, SELLER)
    world.chain.mine(at=world.terms(order_id).pay_by)


def whose_seller_may_not_ask_yet(world: World) -> None:
    order_id = world.paid()
    world.chain.mine(at=world.terms(order_id).pay_by - 1)


def who_is_disputed(world: World) -> None:
    (order_id,) = overdue(world)
    world.mine(world.event("Disputed", order_id))


def who_is_settled(world: World) -> None:
    (order_id,) = overdue(world)
    world.mine(world.settled(order_id, 0))


@pytest.mark.parametrize(
    "prepare",
    [
        who_did_not_pay,
        whose_seller_alone_disputes,
        whose_seller_may_not_ask_yet,
        who_is_disputed,
        who_is_settled,
    ],
)
def test_nobody_else_is_asked_for(world: World, prepare: Prepare) -> None:
    prepare(world)
    before, asked = disputes_of(world), accuse(world)
    world.watcher.watchtower.asked_at = 0
    look(world)
    assert (asked, disputes_of(world)) == ([], before)


@pytest.mark.parametrize("event", ["Disputed", "Settled"])
def test_a_dispute_or_settlement_that_was_only_seen(world: World, event: str) -> None:
    """One node's word: it makes no defence needless."""
    (order_id,) = overdue(world)
    happened = world.settled(order_id, 0) if event == "Settled" else world.event(event, order_id)
    world.mine(happened, final=False)
    asked = accuse(world)
    world.mine(at=world.now + WATCH_EVERY_SECONDS, final=False)
    assert asked == [order_id]
    assert disputes_of(world) == [f"dispute:{order_id}:buyer"]


def test_a_halted_chain(world: World) -> None:
    order_id = world.paid()
    with transaction(world.engine) as session:
        halting.halt(session, world.platform.domain.chain_id, "by an operator")
    request_refund(world, order_id)
    look(world)
    assert disputes_of(world) == [f"dispute:{order_id}:buyer"]


def test_a_watcher_that_was_taken_over(world: World) -> None:
    """It brings nothing: the new one asks for itself."""
    overdue(world)
    accuse(world)
    old: Any = world.watcher
    old.lock.release()
    old.hold_lock = lambda: None
    world.watcher = watcher_of(world)
    with pytest.raises(EpochLost):
        old.step()
    assert world.intents() == []


# How much and how often


def test_a_pass_at_most_so_often(world: World) -> None:
    orders = overdue(world, 2)
    asked = accuse(world)
    for _ in range(3):
        look(world)
    world.chain.mine(at=world.now + WATCH_EVERY_SECONDS - 1)
    look(world)
    assert sorted(asked) == sorted(orders)
    world.chain.mine()
    look(world)
    assert sorted(asked) == sorted(2 * orders)
    assert len(world.intents()) == 2, "brought once"


def test_a_clock_that_is_set_back(world: World) -> None:
    overdue(world)
    world.watcher.watchtower.asked_at = world.now + 3600
    asked = accuse(world)
    look(world)
    assert len(asked) == 1


def test_nobody_to_defend(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The books are asked once in a while, the nodes not at all."""
    world.funded()
    asked, real = list[int](), watchtower.disputes.to_defend

    def to_defend(*arguments: Any) -> list[str]:
        asked.append(world.now)
        return real(*arguments)

    monkeypatch.setattr(watchtower.disputes, "to_defend", to_defend)
    world.chain.mine(at=world.now + WATCH_EVERY_SECONDS)
    for _ in range(3):
        look(world)
    assert len(asked) == 1


def test_so_many_orders_a_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which ones is left to chance: all have their turn."""
    monkeypatch.setattr(watchtower, "MAX_ORDERS_PER_PASS", 1)
    orders = overdue(world, 3)
    asked = accuse(world)
    for number in range(1, 100):
        look(world)
        assert len(asked) == number
        world.chain.mine(at=world.now + WATCH_EVERY_SECONDS)
        if set(asked) == set(orders):
            return
    raise AssertionError(asked)


def test_so_many_defended_a_step(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that accuses everybody must not keep the watcher from reading."""
    monkeypatch.setattr(watchtower, "MAX_DEFENDED_PER_STEP", 2)
    overdue(world, 5)
    asked = accuse(world)
    for brought in (2, 4, 5):
        look(world)
        assert [intent.order_id for intent in world.intents()] == asked[:brought]
