"""Workers are woken by what was committed; without notifications they poll."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, text

from coordinator.db import wake
from coordinator.db.session import make_engine, transaction
from coordinator.db.wake import Channel, Listener, notify
from coordinator.services import intents
from coordinator.services.ports import NodeDown
from coordinator.workers import loop
from tests.woken import PATIENCE_SECONDS, Woken
from tests.world import AMOUNT, SELLER, World

NEVER_SECONDS = 3600


@pytest.fixture
def woken() -> Woken:
    return Woken()


def commit(engine: Engine, channel: Channel = Channel.SENDER) -> None:
    with transaction(engine) as session:
        notify(session, channel)


def fail_after_notifying(engine: Engine) -> None:
    with transaction(engine) as session:
        notify(session, Channel.SENDER)
        raise ZeroDivisionError


def test_what_is_committed_wakes_and_nothing_else(engine: Engine, woken: Woken) -> None:
    with Listener(engine, Channel.SENDER, woken) as listener:
        assert listener.listening.wait(PATIENCE_SECONDS)
        assert woken.reaches(1), "once for what was written before"
        with pytest.raises(ZeroDivisionError):
            fail_after_notifying(engine)
        commit(engine, Channel.KEEPER)
        commit(engine)
        assert woken.reaches(2)
        assert woken.count == 2, "neither what was rolled back nor what is another's"


def test_a_lost_connection_is_made_again(
    engine: Engine, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake, "RECONNECT_SECONDS", 0.01)
    with Listener(engine, Channel.SENDER, woken) as listener:
        assert listener.listening.wait(PATIENCE_SECONDS)
        assert woken.reaches(1)
        with engine.begin() as connection:
            connection.execute(text(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where query ilike 'listen %' and pid <> pg_backend_pid()"
            ))  # fmt: skip
        assert woken.reaches(2), "looks after what it may have missed"
        commit(engine)
        assert woken.reaches(3)


def test_a_database_that_cannot_be_listened_to_is_only_a_warning(woken: Woken) -> None:
    nowhere = make_engine("postgresql://nobody@/none?host=/nowhere")
    stop, steps = threading.Event(), []

    def step() -> bool:
        steps.append(1)
        if len(steps) == 3:
            stop.set()
        return False

    with Listener(nowhere, Channel.SENDER, woken) as listener:
        loop.run("test", step, 0.01, stop)
        assert not listener.listening.is_set()
    assert (len(steps), woken.count) == (3, 0)


def run_in_thread(step: Callable[[], bool], stop: threading.Event, wakes: threading.Event) -> None:
    worker = threading.Thread(target=loop.run, args=("test", step, NEVER_SECONDS, stop, wakes))
    worker.start()
    worker.join(PATIENCE_SECONDS)
    assert not worker.is_alive()


def test_a_woken_worker_does_not_wait_for_its_turn() -> None:
    stop, wakes, steps = threading.Event(), threading.Event(), []

    def step() -> bool:
        steps.append(1)
        # Written while the step runs: it may not have seen it.
        (wakes if len(steps) == 1 else stop).set()
        return False

    run_in_thread(step, stop, wakes)
    assert len(steps) == 2


@pytest.mark.parametrize("outage", [False, True])
def test_a_waiting_worker_ends_at_once(outage: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "MIN_WAIT_SECONDS", NEVER_SECONDS)
    stop = threading.Event()

    def step() -> bool:
        threading.Timer(0.01, stop.set).start()
        if outage:
            raise NodeDown("away")
        return False

    run_in_thread(step, stop, threading.Event())


def test_an_intent_wakes_the_sender(world: World, woken: Woken) -> None:
    order_id = world.place(world.post_ad())
    with Listener(world.engine, Channel.SENDER, woken) as listener:
        assert listener.listening.wait(PATIENCE_SECONDS)
        with transaction(world.engine) as session:
            intents.enqueue(session, world.platform, "a", order_id, b"\x01", world.now)
        assert woken.reaches(2)


def test_a_settlement_that_lacks_the_coordinator_wakes_the_keeper(
    world: World, woken: Woken
) -> None:
    order_id = world.paid()
    with Listener(world.engine, Channel.KEEPER, woken) as listener:
        assert listener.listening.wait(PATIENCE_SECONDS)
        world.sign_settlement(order_id, SELLER, AMOUNT)
        assert woken.reaches(2)
