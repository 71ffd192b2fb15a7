"""A request that PostgreSQL ends for another transaction's sake was not done, and says so."""

import threading
import time
from collections.abc import Callable

import httpx
from eth_account.signers.local import LocalAccount
from otc_sdk.client import Client
from sqlalchemy import text

from coordinator.db.ads import Ad
from coordinator.db.orders import Order
from coordinator.db.session import transaction
from tests.world import BUYER, World

WAIT_SECONDS = 30


def test_two_that_wait_for_each_other(
    world: World, client: Callable[[LocalAccount], Client]
) -> None:
    order_id = world.place(world.post_ad())
    http, answers = client(BUYER).http, list[httpx.Response]()

    def withdraw() -> None:
        answers.append(http.post(f"/orders/{order_id}/withdraw", timeout=WAIT_SECONDS))

    thread = threading.Thread(target=withdraw)
    with transaction(world.engine) as session:
        # The other side waits longer before it looks for a circle, so it is not the one ended.
        session.connection().execute(text("set local deadlock_timeout = '60s'"))
        session.connection().execute(text("set local lock_timeout = '60s'"))
        session.get(Ad, world.order(order_id).ad_id, with_for_update=True)
        thread.start()
        deadline = time.monotonic() + WAIT_SECONDS
        while (
            not session.connection()
            .execute(text("select exists (select from pg_locks where not granted)"))
            .scalar()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        session.get(Order, order_id, with_for_update=True)
    thread.join()
    [answer] = answers
    assert (answer.status_code, answer.json()["code"]) == (409, "busy")
    assert world.status(order_id) == "pending"
