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
from coordinator.workers import replay as worker
from coordinator.workers.replay import Replay, replay
from tests.chain import Anvil, account_of
from tests.findings.world import LiveWorld
from tests.world import AMOUNT, SELLER, World

OTHER_TOKEN = account_of("another token").address
TABLES: tuple[type[SQLModel], ...] = (Log, Escrow, LedgerEntry, Order, Cursor)


def run(world: World, first: int = 0) -> Replay:
    return replay(world.engine, world.platform, world.chain, first, lambda *_: None)


def lived(world: World) -> list[str]:
    """Orders released, disputed, refunded, reorged, paid into too late; one is disputed as seen."""
    released, disputed, refunded, open_ = (world.paid() for _ in range(4))
    world.mine(world.event("Disputed", disputed), world.settled(released, AMOUNT))
    world.mine(world.deposit(refunded, 7), world.event("RefundRequested", refunded))
    world.mine(world.deposit(open_, 5), final=False)
    world.chain.reorg(1)
    world.mine(world.settled(refunded, 0), world.deposit(released, 3))
    # Seen, and not final.
    wrong = world.deposit(open_, 1, OTHER_TOKEN)
    world.mine(world.deposit(open_, 2), world.event("RefundRequested", open_), wrong, final=False)
    world.mine(world.event("Disputed", open_), final=False)
    return [released, disputed, refunded, open_]


def execute(world: World, statement: str, **values: Any) -> None:
    with transaction(world.engine) as session:
        session.connection().execute(text(statement), values)


@pytest.mark.parametrize("first", [0, 3, 6])
def test_a_life_replayed_is_the_books(world: World, first: int) -> None:
    lived(world)
    before = [world.all(table) for table in TABLES]
    found = run(world, first)
    cursor = world.cursor()
    assert found.differences == []
    assert (found.last, found.seen, found.head) == (
        cursor.final_number, cursor.number, cursor.number,
    )  # fmt: skip
    assert [world.all(table) for table in TABLES] == before


@pytest.mark.parametrize(
    ("harm", "kinds"),
    [
        ("delete from chain_logs where name = 'Disputed'", {"log"}),
        ("update chain_logs set orphaned = true where name = 'Disputed'", {"log"}),
        ("update chain_logs set decoded = '{\"units\": \"1\"}' where name = 'Settled'", {"log"}),
        ("update ledger_entries set units = units + 1 where leg = 1", {"ledger"}),
        ("delete from ledger_entries where leg = 0", {"ledger"}),
        ("update ledger_entries set account = 'wallet:me' where leg = 1", {"ledger"}),
    ],
)
def test_whatever_was_changed_is_found(world: World, harm: str, kinds: set[str]) -> None:
    lived(world)
    execute(world, harm)
    assert {one.kind for one in run(world).differences} == kinds


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("vault", "left(order_id, 42)"),
        ("seen_units", "seen_units + 1"),
        ("final_units", "final_units + 1"),
        ("wrong_token", "not wrong_token"),
        ("funded_at", "funded_at + 1"),
        ("refund_requested_at", "refund_requested_at + 1"),
        ("disputed_at", "disputed_at + 1"),
        ("settled_tx", "settled_tx || '0'"),
        ("final_funded_at", "final_funded_at + 1"),
        ("final_refund_requested_at", "final_refund_requested_at + 1"),
        ("final_disputed_at", "final_disputed_at + 1"),
        ("final_settled_tx", "final_settled_tx || '0'"),
        ("changed_number", "changed_number - 1"),
    ],
)
def test_every_column_of_a_projection(world: World, column: str, value: str) -> None:
    """Found: five of them were compared, and what people see was not."""
    orders = lived(world)
    widen = "alter table escrows alter settled_tx type text, alter final_settled_tx type text"
    execute(world, widen)
    execute(world, f"update escrows set {column} = {value}")  # noqa: S608
    assert {(one.kind, one.where) for one in run(world).differences} == {
        ("projection", f"{order_id} {column}") for order_id in orders
    }


def test_an_order_without_a_projection(world: World) -> None:
    """Found: it was left out of the comparison."""
    lost, *_ = lived(world)
    execute(world, "delete from escrows where order_id = :lost", lost=lost)
    (found,) = run(world).differences
    assert (found.kind, found.where, found.books) == ("projection", lost, "nothing")
    assert f"'seen_units': {AMOUNT + 3}" in found.chain


STATUS = "update orders set status = '{}' where status = '{}';"
LOGGED = "update order_log set to_status = '{}' where to_status = '{}';"


@pytest.mark.parametrize(
    ("harm", "books", "chain"),
    [
        (STATUS.format("cancelled", "paid"), "cancelled, its log paid", "paid"),
        (STATUS.format("cancelled", "completed"), "cancelled, its log completed", "completed"),
        (STATUS.format("completed", "disputed"), "completed, its log disputed", "disputed"),
        (
            "delete from order_log where event = 'paid_out'",
            "completed, its log paid", "completed",
        ),
        # Where status and log are changed alike, the chain decides.
        (
            "".join(each.format("cancelled", "completed") for each in (STATUS, LOGGED)),
            "cancelled", "completed",
        ),
        (
            "".join(each.format("paid", "disputed") for each in (STATUS, LOGGED)),
            "paid", "awaiting_refund or awaiting_release or disputed",
        ),
    ],
)  # fmt: skip
def test_a_status_that_the_chain_or_the_log_contradicts(
    world: World, harm: str, books: str, chain: str
) -> None:
    """Found: no status was compared; a paid order could be called cancelled."""
    lived(world)
    execute(world, harm)
    (found,) = run(world).differences
    assert (found.kind, found.books, found.chain) == ("order", books, chain)


def test_postings_of_what_is_not_final(world: World) -> None:
    """Found: only those of canonical final logs were looked at."""
    lived(world)
    execute(
        world,
        "insert into ledger_entries (log_id, leg, account, token, units) "
        "select id, 0, 'wallet:me', address, 1 from chain_logs where name = 'Transfer' "
        "and not posted",
    )
    found = [(one.kind, one.chain) for one in run(world).differences]
    assert found == [("ledger", "nothing")] * 3, "one was reorged away, two are too new"


# What is seen and not final


def test_a_seen_log_that_the_books_lost(world: World) -> None:
    """Found: replay ended at the final block."""
    *_, open_ = lived(world)
    execute(
        world, "delete from chain_logs where name = 'RefundRequested' and order_id = :it", it=open_
    )
    (found,) = run(world).differences
    assert (found.kind, found.books) == ("log", "nothing")


def test_blocks_that_the_nodes_do_not_have_any_more(world: World) -> None:
    lived(world)
    world.chain.reorg(1)
    shorter = run(world)
    world.chain.mine()
    other = run(world)
    for found in (shorter, other):
        assert found.differences == []
        assert (found.seen, found.head) == (found.last, found.last + 2)


@pytest.mark.parametrize(("limit", "reached"), [(1, False), (2, True)])
def test_more_seen_blocks_than_are_asked_for_one_by_one(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: int, reached: bool
) -> None:
    """What is seen is compared all the same: with the books' own logs of those blocks."""
    orders = lived(world)
    monkeypatch.setattr(worker, "MAX_SEEN_BLOCKS", limit)
    assert run(world).differences == []
    execute(world, "update escrows set seen_units = seen_units + 1")
    found = run(world)
    assert len(found.differences) == len(orders)
    assert (found.seen == found.head) is reached


def test_an_event_that_is_not_on_chain(world: World) -> None:
    lived(world)
    number = world.chain.final_number
    world.chain.logs = [log for log in world.chain.logs if log.block_number != number]
    differences = run(world).differences
    assert {one.kind for one in differences} == {"log", "ledger", "projection"}
    assert any(str(number) in one.where and one.chain == "nothing" for one in differences)


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
        assert found.seen == found.head > found.last
        execute(live, "update escrows set final_units = 1")
        assert {one.kind for one in run(live, start).differences} == {"projection"}
    finally:
        live.sender.lock.release()
        live.watcher.lock.release()
