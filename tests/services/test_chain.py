"""Taking blocks in: once, by one writer, undone by a reorg, never below what is final."""

import pytest
from sqlmodel import Session

from coordinator.db.chain import Block, Log
from coordinator.db.ledger import LedgerEntry
from coordinator.db.session import transaction
from coordinator.domain.errors import InvariantBroken
from coordinator.services import chain
from coordinator.services.chain import EpochLost
from coordinator.services.ports import ChainHalted, Header, NodeDown
from coordinator.workers.watcher import RANGE_THRESHOLD_BLOCKS
from tests.fake_chain import FakeChain
from tests.world import AMOUNT, World, watcher_of

Books = list[object]


def books(world: World, order_id: str) -> Books:
    return [
        world.order(order_id), world.escrow(order_id), world.log(order_id), world.cursor(),
        sorted(world.all(Log), key=lambda log: log.id), world.all(LedgerEntry), world.intents(),
    ]  # fmt: skip


def ingest(world: World, headers: list[Header], epoch: int | None = None) -> None:
    hashes = {header.hash for header in headers}
    logs = [log for log in world.chain.logs if log.block_hash in hashes]
    with transaction(world.engine) as session:
        chain.ingest(
            session, world.platform, epoch or world.watcher.epoch, headers, logs, world.now
        )


def test_the_same_blocks_twice_change_nothing(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("Disputed", order_id), world.deposit(order_id, 3))
    before = books(world, order_id)
    ingest(world, world.chain.blocks[1:])
    assert books(world, order_id) == before


def test_what_concerns_no_order_is_not_kept(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.mine(
        world.event("Disputed", "0x" + "11" * 32), world.settled("0x" + "22" * 32, 1),
        world.deposit(order_id),
    )  # fmt: skip
    assert [log.order_id for log in world.all(Log)] == [order_id]


def test_only_the_newest_writer_writes(world: World) -> None:
    order_id = world.funded()
    old, old_watcher = world.watcher.epoch, world.watcher
    world.watcher = watcher_of(world)
    before = books(world, order_id)
    header = world.chain.mine(world.deposit(order_id, 5))
    with pytest.raises(EpochLost):
        ingest(world, [header], old)
    with pytest.raises(EpochLost), transaction(world.engine) as session:
        chain.rewind(session, world.platform, old, world.chain.blocks[-3], world.now)
    with pytest.raises(NodeDown, match="another watcher"):
        old_watcher.step()
    world.watcher.lock.release()
    with pytest.raises(EpochLost):
        old_watcher.step()
    old_watcher.lock.release()
    assert books(world, order_id) == before


def test_a_new_writer_goes_on_where_the_old_one_stopped(world: World) -> None:
    world.funded()
    number = world.cursor().number
    world.watcher = watcher_of(world)
    assert world.cursor().number == number > 0


@pytest.mark.parametrize("depth", [1, 3])
def test_a_rewind_orphans_and_deletes_nothing(world: World, depth: int) -> None:
    order_id = world.funded()
    kept = len(world.all(Log))
    for _ in range(depth):
        world.mine(world.deposit(order_id, 1), final=False)
    world.chain.reorg(depth)
    world.mine(final=False)
    logs = world.all(Log)
    assert [log.orphaned for log in logs] == [False] * kept + [True] * depth
    assert len([b for b in world.all(Block) if b.orphaned]) == depth
    assert world.escrow(order_id).seen_units == AMOUNT
    assert world.cursor().hash == world.chain.head().hash


def test_a_block_that_returns_is_taken_back(world: World) -> None:
    order_id = world.funded()
    world.mine(world.deposit(order_id, 1), final=False)
    headers, logs = list(world.chain.blocks), list(world.chain.logs)
    world.chain.reorg(1)
    world.mine(final=False)
    world.chain.blocks, world.chain.logs = headers, logs
    world.read()
    assert world.escrow(order_id).seen_units == AMOUNT + 1
    assert [log.orphaned for log in world.all(Log)] == [False, False]


def test_a_rewind_below_final_is_refused_and_changes_nothing(world: World) -> None:
    order_id = world.funded()
    before = books(world, order_id)
    with pytest.raises(InvariantBroken), transaction(world.engine) as session:
        chain.rewind(session, world.platform, world.watcher.epoch, world.chain.blocks[0], world.now)
    assert books(world, order_id) == before


def test_a_chain_that_differs_below_final_is_halted(world: World) -> None:
    order_id = world.funded()
    before = world.escrow(order_id)
    world.chain.final_number = 0
    world.chain.reorg(1)
    world.chain.mine()
    for _ in range(2):
        with pytest.raises(ChainHalted, match="halted"):
            world.read()
    assert "was final" in (world.cursor().halted or "")
    assert world.escrow(order_id) == before


def test_final_never_goes_back(world: World) -> None:
    world.funded()
    final = world.cursor().final_number
    world.chain.final_number = 0
    world.chain.mine()
    world.read()
    assert world.cursor().final_number == final


def test_a_long_way_behind_is_read_in_ranges(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.chain.mine(world.deposit(order_id))
    for _ in range(RANGE_THRESHOLD_BLOCKS + 5):
        world.chain.mine()
    world.chain.finalize()
    world.read()
    assert world.status(order_id) == "awaiting_payment"
    assert world.cursor().number == world.chain.head().number
    assert len(world.all(Block)) < RANGE_THRESHOLD_BLOCKS


def test_known_hashes(world: World) -> None:
    world.mine(final=False)
    world.chain.reorg(1)
    world.mine()
    with Session(world.engine) as session:
        assert chain.known_hash(session, 31337, 1) == world.chain.head().hash
        assert chain.known_hash(session, 31337, 99) is None


def test_the_fake_chain_is_a_chain() -> None:
    made = FakeChain()
    for _ in range(3):
        made.mine()
    pairs = zip(made.blocks, made.blocks[1:], strict=False)
    assert all(child.parent_hash == parent.hash for parent, child in pairs)
