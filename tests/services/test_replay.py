"""The chain read again adds up to the books; whatever differs is found, and nothing is written."""

from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

from coordinator.db.chain import Cursor, Log
from coordinator.db.escrows import Escrow
from coordinator.db.ledger import LedgerEntry
from coordinator.db.orders import Order
from coordinator.db.session import transaction
from coordinator.domain.errors import Invalid
from coordinator.workers.replay import Replay, replay
from tests.chain import Anvil
from tests.findings.world import LiveWorld
from tests.world import AMOUNT, SELLER, World

TABLES: tuple[type[SQLModel], ...] = (Log, Escrow, LedgerEntry, Order, Cursor)


def run(world: World, first: int = 0) -> Replay:
    return replay(world.engine, world.platform, world.chain, first, lambda *_: None)


def lived(world: World) -> list[str]:
    """Orders that were funded, released, disputed, refunded, reorged and paid into too late."""
    released, disputed, refunded, open_ = (world.paid() for _ in range(4))
    world.mine(world.event("Disputed", disputed), world.settled(released, AMOUNT))
    world.mine(world.deposit(refunded, 7), world.event("RefundRequested", refunded))
    world.mine(world.deposit(open_, 5), final=False)
    world.chain.reorg(1)
    world.mine(world.settled(refunded, 0), world.deposit(released, 3))
    return [released, disputed, refunded, open_]


def execute(world: World, statement: str, **values: Any) -> None:
    with transaction(world.engine) as session:
        session.connection().execute(text(statement), values)


@pytest.mark.parametrize("first", [0, 3, 6])
def test_a_life_replayed_is_the_books(world: World, first: int) -> None:
    lived(world)
    before = [world.all(table) for table in TABLES]
    found = run(world, first)
    assert (found.differences, found.last) == ([], world.cursor().final_number)
    assert [world.all(table) for table in TABLES] == before


@pytest.mark.parametrize(
    ("harm", "kinds"),
    [
        ("delete from chain_logs where name = 'Disputed'", {"log"}),
        ("update chain_logs set orphaned = true where name = 'Disputed'", {"log"}),
        ("update chain_logs set decoded = '{\"units\": \"1\"}' where name = 'Settled'", {"log"}),
        ("update escrows set final_units = final_units + 1", {"projection"}),
        ("update escrows set final_settled_tx = ''", {"projection"}),
        ("update ledger_entries set units = units + 1 where leg = 1", {"ledger"}),
        ("delete from ledger_entries where leg = 0", {"ledger"}),
        ("update ledger_entries set account = 'wallet:me' where leg = 1", {"ledger"}),
    ],
)
def test_whatever_was_changed_is_found(world: World, harm: str, kinds: set[str]) -> None:
    lived(world)
    execute(world, harm)
    assert {one.kind for one in run(world).differences} == kinds


def test_an_event_that_is_not_on_chain(world: World) -> None:
    lived(world)
    gone = world.chain.logs.pop()
    differences = run(world).differences
    assert {one.kind for one in differences} == {"log", "ledger", "projection"}
    assert any(str(gone.block_number) in one.where and one.chain == "nothing"
               for one in differences)  # fmt: skip


@pytest.mark.parametrize("first", [-1, 1_000])
def test_only_what_is_final_is_replayed(world: World, first: int) -> None:
    lived(world)
    with pytest.raises(Invalid, match="the newest final one"):
        run(world, first)


def test_on_a_real_chain(engine: Engine, anvil: Anvil) -> None:
    live = LiveWorld(engine, anvil)
    try:
        start = live.cursor().number
        order_id = live.paid()
        live.sign_settlement(order_id, SELLER, AMOUNT)
        live.keeper.step()
        live.carry()
        live.funded()
        assert live.status(order_id) == "completed"
        found = run(live, start)
        assert (found.differences, found.logs > 3) == ([], True)
        execute(live, "update escrows set final_units = 1")
        assert {one.kind for one in run(live, start).differences} == {"projection"}
    finally:
        live.sender.lock.release()
        live.watcher.lock.release()
