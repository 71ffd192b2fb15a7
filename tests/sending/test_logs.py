"""Whoever looks for an order in the sender's log finds all that became of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import get_contextvars, merge_contextvars
from structlog.testing import capture_logs
from structlog.typing import EventDict

from coordinator.db.intents import Intent
from coordinator.db.session import transaction
from coordinator.domain import fees
from coordinator.services.ports import Call, NodeDown
from coordinator.workers.flight import REBROADCAST_AFTER_SECONDS
from coordinator.workers.sender import LOOK_SECONDS
from tests.findings.world import FINAL_AFTER_BLOCKS
from tests.sending.world import SendingWorld
from tests.world import STRANGER

Lines = list[EventDict]
# Of the key itself, whatever it carries.
OF_THE_KEY = ("key", "gap filled")


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs(processors=[merge_contextvars]) as found:
        yield found
    assert get_contextvars() == {}


def require_named(lines: Lines, events: set[str], *orders: str) -> None:
    """These were logged, and every line names these orders."""
    mine = [line for line in lines if line["event"] not in OF_THE_KEY]
    assert {line["event"] for line in mine} == events
    for line in mine:
        assert line.get("order_ids") == sorted(orders), line


def fail(*_: object) -> Any:
    raise NodeDown("no answer")


def test_a_settlement_alone(
    world: SendingWorld, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: most lines of the sender named no order."""
    [order_id] = world.agreed()
    with world.held_back():
        with monkeypatch.context() as down:
            down.setattr(world.account, "broadcast", fail)
            world.sender.step()
            world.later(REBROADCAST_AFTER_SECONDS)
            world.sender.step()
        require_named(lines, {"held up"}, order_id)
        world.account.max_fee_wei = world.attempts()[0].max_fee_wei
        world.later(fees.REPLACE_AFTER_SECONDS)
        world.sender.step()
        world.later(REBROADCAST_AFTER_SECONDS)
        world.sender.step()
        world.anvil.rpc("evm_mine")
    world.sender.step()
    world.anvil.rpc("anvil_rollback", 1)
    world.sender.step()
    said = {"held up", "stuck", "broadcast", "left to the receipts", "reorged"}
    require_named(lines, said, order_id)


def test_settlements_that_go_together(world: SendingWorld, lines: Lines) -> None:
    orders = world.agreed(2)
    world.carry(2)
    require_named(lines, {"broadcast", "batch"}, *orders)


def test_settlements_that_cannot_go_together(
    world: SendingWorld, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = world.agreed(2)
    monkeypatch.setattr(world.account, "try_batch", fail)
    world.sender.step()
    require_named([line for line in lines if line["event"] == "no batch"], {"no batch"}, *orders)
    sent = [line["order_ids"] for line in lines if line["event"] == "broadcast"]
    assert sent == [[order_id] for order_id in orders]


def test_what_another_key_has_taken(
    world: SendingWorld, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    [order_id] = world.agreed()
    real = world.account.simulate

    def slow(call: Call) -> int:
        with transaction(world.engine) as session:
            intent = session.get_one(Intent, world.intents()[0].id)
            intent.claimed_by = STRANGER.address
        return real(call)

    monkeypatch.setattr(world.account, "simulate", slow)
    world.sender.step()
    require_named(lines, {"taken"}, order_id)


def test_what_was_final_and_is_gone(world: SendingWorld, lines: Lines) -> None:
    orders = world.agreed(2)
    world.sender.step()
    world.mine_final()
    world.read()
    world.sender.step()
    world.anvil.rpc("anvil_rollback", FINAL_AFTER_BLOCKS + 2)
    world.anvil.rpc("anvil_dropAllTransactions")
    world.mine_final()
    world.later(LOOK_SECONDS)
    world.sender.step()
    require_named(lines, {"broadcast", "batch", "reorged"}, *orders)
