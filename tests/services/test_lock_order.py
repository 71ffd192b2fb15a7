"""Writers lock orders by their ids, then ads by theirs: two of them never wait in a circle."""

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import text

from coordinator.db.ads import Ad
from coordinator.db.session import transaction
from tests.world import World

WAIT_SECONDS = 30
MAX_TRIES = 200


def crossed(world: World) -> tuple[int, int, list[str]]:
    """Two ads with an order each; the order of the later ad has the smaller id."""
    first, last = world.post_ad(), world.post_ad()
    one = world.place(first)
    for _ in range(MAX_TRIES):
        other = world.place(last, amount_units=1_000_000)
        if other < one:
            return first, last, [one, other]
        world.withdraw(other)
    raise AssertionError("no order id was smaller")


def expire(world: World, orders: list[str]) -> None:
    world.expire()


def refund(world: World, orders: list[str]) -> None:
    world.read()


def prepare_expiry(world: World, orders: list[str]) -> None:
    world.mine(at=world.now + world.platform.fund_by_seconds + 1)


def prepare_refunds(world: World, orders: list[str]) -> None:
    for order_id in orders:
        world.mine(world.deposit(order_id))
    world.chain.mine(*(world.settled(order_id, 0) for order_id in orders))
    world.chain.finalize()


def blocked(world: World) -> bool:
    with transaction(world.engine) as session:
        query = text("select exists (select from pg_locks where not granted)")
        return bool(session.connection().execute(query).scalar())


@pytest.mark.parametrize(("prepare", "act"), [(prepare_expiry, expire), (prepare_refunds, refund)])
def test_ads_are_locked_in_one_order(
    world: World,
    prepare: Callable[[World, list[str]], None],
    act: Callable[[World, list[str]], None],
) -> None:
    first, last, orders = crossed(world)
    prepare(world, orders)
    worker = threading.Thread(target=act, args=(world, orders))
    with transaction(world.engine) as session:
        session.get(Ad, first, with_for_update=True)
        worker.start()
        deadline = time.monotonic() + WAIT_SECONDS
        while not blocked(world):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # It waits for the first ad and does not hold the last: who has the first can go on.
        session.get(Ad, last, with_for_update={"nowait": True})
    worker.join(WAIT_SECONDS)
    assert {world.status(order_id) for order_id in orders} <= {"expired", "cancelled"}
    assert world.available(last) == world.available(first)
