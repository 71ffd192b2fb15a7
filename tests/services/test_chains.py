"""Several chains in one database: each has its own watcher, ads and orders."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from otc_sdk.terms import EscrowDomain
from sqlalchemy import Engine

from coordinator.db.session import transaction
from coordinator.domain.errors import NotFound
from coordinator.services import halting
from coordinator.services.ports import ChainHalted
from tests.world import AMOUNT, PLATFORM, World

OTHER = replace(PLATFORM, domain=EscrowDomain(PLATFORM.domain.chain_id + 1, PLATFORM.domain.escrow))


@pytest.fixture
def other(engine: Engine) -> Iterator[World]:
    """On the same database as `world`, on another chain."""
    made = World(engine, OTHER)
    try:
        yield made
    finally:
        made.watcher.lock.release()


def test_each_watcher_reads_its_own_chain(world: World, other: World) -> None:
    one, two = world.funded(), other.funded()
    world.mine(world.settled(one, AMOUNT))
    assert (world.status(one), other.status(two)) == ("completed", "awaiting_payment")
    assert other.escrow(two).final_units == AMOUNT


def test_an_event_of_one_chain_is_nothing_on_another(world: World, other: World) -> None:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    other.mine(world.deposit(order_id), world.settled(order_id, AMOUNT))
    assert world.status(order_id) == "pending"
    assert world.escrow(order_id).seen_units == 0


def test_ads_are_taken_on_their_own_chain_only(world: World, other: World) -> None:
    ad_id = world.post_ad()
    with pytest.raises(NotFound):
        other.place()
    with pytest.raises(NotFound):
        other.place(ad_id)


def test_time_passes_on_each_chain_for_itself(world: World, other: World) -> None:
    late, early = world.place(world.post_ad()), other.place(other.post_ad())
    world.mine(at=world.order(late).fund_by)
    assert (world.expire(), other.expire()) == (1, 0)
    assert (world.status(late), other.status(early)) == ("expired", "pending")


def test_a_halted_chain_holds_up_no_other(world: World, other: World) -> None:
    with transaction(world.engine) as session:
        halting.halt(session, world.platform.domain.chain_id, "looked at")
    with pytest.raises(ChainHalted):
        world.read()
    order_id = other.funded()
    assert other.status(order_id) == "awaiting_payment"
