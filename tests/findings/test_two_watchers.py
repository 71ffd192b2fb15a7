"""A watcher that was taken over in the middle of a step writes nothing of it."""

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from coordinator.db.halts import ChainHalt
from coordinator.services.chain import EpochLost
from coordinator.workers.watcher import Watcher
from tests.world import World, watcher_of

Overtake = Callable[[str], Watcher]


@pytest.fixture
def overtake(world: World, monkeypatch: pytest.MonkeyPatch) -> Overtake:
    """From the next request of this kind on, a second watcher has taken over; returns the first."""

    def at(request: str) -> Watcher:
        old, real = world.watcher, getattr(world.chain, request)

        def answer(*arguments: Any) -> Any:
            if world.watcher is old:
                world.watcher = watcher_of(world)
            return real(*arguments)

        monkeypatch.setattr(world.chain, request, answer)
        return old

    return at


def test_it_tells_no_buyer_to_pay(world: World, overtake: Overtake) -> None:
    """Found: the outcome of a comparison was kept without the epoch."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.chain.mine(world.deposit(order_id))
    world.chain.finalize()
    old = overtake("escrow_state")
    before = world.escrow(order_id).checked_number
    with pytest.raises(EpochLost, match="written by epoch 2, not 1"):
        old.step()
    assert world.status(order_id) == "pending"
    assert world.escrow(order_id).checked_number == before
    world.read()
    assert world.status(order_id) == "awaiting_payment"


def test_it_halts_no_chain(world: World, overtake: Overtake) -> None:
    """Found: a chain was halted without the epoch."""
    world.funded()
    world.chain.final_number = 0
    world.chain.reorg(1)
    world.chain.mine()
    old = overtake("header")
    with capture_logs() as logs, pytest.raises(EpochLost, match="written by epoch 2, not 1"):
        old.step()
    assert (world.cursor().halted, world.all(ChainHalt)) == (None, [])
    assert "chain halted" not in [entry["event"] for entry in logs]
