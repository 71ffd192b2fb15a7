"""Whose vault is compared with the chain first."""

import pytest

from coordinator.workers import watcher
from tests.world import AMOUNT, World

CHECKS = 2


@pytest.fixture
def dusty(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Orders of one trader's ad, as many as two steps compare."""
    monkeypatch.setattr(watcher, "MAX_CHECKS_PER_STEP", CHECKS)
    ad_id = world.post_ad(available_units=100 * AMOUNT)
    return [world.place(ad_id) for _ in range(2 * CHECKS)]


def test_dust_does_not_go_before_who_waits_to_pay(world: World, dusty: list[str]) -> None:
    """Found: a unit sent to each of many own orders kept others' buyers from being told to pay."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    dust = [world.deposit(other, 1) for other in dusty]
    world.chain.mine(*dust, world.deposit(order_id))
    world.chain.finalize()
    assert world.watcher.step(), "others wait"
    assert world.status(order_id) == "awaiting_payment"


def test_short_deposits_are_compared_in_their_turn(world: World, dusty: list[str]) -> None:
    world.chain.mine(*(world.deposit(order_id, 1) for order_id in dusty))
    world.chain.finalize()
    for _ in range(2):
        world.watcher.step()
    escrows = [world.escrow(order_id) for order_id in dusty]
    assert all(escrow.checked_number >= escrow.changed_number > 0 for escrow in escrows)
    assert {world.status(order_id) for order_id in dusty} == {"pending"}
