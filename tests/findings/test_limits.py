"""Limits of reading the chain: each was removed once, and no test noticed."""

from typing import Any

import pytest

from coordinator.db.chain import Block
from coordinator.db.session import transaction
from coordinator.domain.errors import Invalid
from coordinator.domain.progress import Progress
from coordinator.services import chain
from coordinator.services.ports import NodeDown, RawLog
from coordinator.services.reconciliation import EVERY_SECONDS
from coordinator.workers import range_logs, replay, watcher
from coordinator.workers.watcher import RANGE_THRESHOLD_BLOCKS
from tests.fake_chain import transfer
from tests.watching import pool_of, watcher_over
from tests.world import AMOUNT, SELLER, World, watcher_of

OTHER_CHAIN = 1


def mine_final(world: World, blocks: int) -> None:
    """Blocks that nobody has read yet."""
    for _ in range(blocks):
        world.chain.mine()
    world.chain.finalize()


def test_a_range_that_shrank_grows_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: after one refusal a backfill could have gone on in small ranges for ever."""
    monkeypatch.setattr(watcher, "MAX_RANGE_BLOCKS", 40)
    world.watcher = watcher_of(world)
    asked: list[int] = []

    def refuse_once(first: int, last: int, *_: Any) -> list[RawLog]:
        asked.append(last - first + 1)
        if len(asked) <= 2:
            raise NodeDown("the range is too large")
        return []

    monkeypatch.setattr(world.chain, "logs_in_range", refuse_once)
    mine_final(world, RANGE_THRESHOLD_BLOCKS + 131)
    world.read()
    assert asked == [40, 20, 10, 20, 40, 40, 40]


def test_a_backfill_tells_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: it could have been silent, and each one begins at its own first block."""
    told: list[Progress] = []
    monkeypatch.setattr(watcher, "MAX_RANGE_BLOCKS", 40)
    world.watcher.lock.release()
    pool = pool_of(world.chain)
    world.watcher = watcher_over(
        pool, world.engine, world.platform, 0, lambda: world.now, told.append
    )
    order_id = world.place(world.post_ad())
    world.chain.mine(world.deposit(order_id))
    mine_final(world, RANGE_THRESHOLD_BLOCKS + 59)
    world.read()
    mine_final(world, RANGE_THRESHOLD_BLOCKS + 1)
    world.read()
    assert told == [
        Progress(1, 40, 160, logs=1),
        Progress(1, 80, 160, logs=0),
        Progress(161, 200, 261, logs=0),
    ]


def test_ranges_have_the_vaults_of_all_orders(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: of more vaults than one query takes, the rest could have been left out."""
    monkeypatch.setattr(range_logs, "MAX_TOPICS_PER_QUERY", 2)
    ad_id = world.post_ad()
    orders = [world.place(ad_id) for _ in range(5)]
    for order_id in orders:
        world.sign_terms(order_id)
    vaults = [world.order(order_id).vault for order_id in orders]
    asked: list[int] = []
    ask = world.chain.logs_in_range

    def counted(first: int, last: int, topics: list[Any], address: str | None) -> list[RawLog]:
        asked.extend(len(wanted) for wanted in topics if isinstance(wanted, list))
        return ask(first, last, topics, address)

    monkeypatch.setattr(world.chain, "logs_in_range", counted)
    token = world.platform.token
    world.chain.mine(*(world.deposit(order_id, AMOUNT + 7) for order_id in orders))
    world.chain.mine(*(transfer(token, vault, SELLER.address, 7) for vault in vaults))
    mine_final(world, RANGE_THRESHOLD_BLOCKS)
    assert RANGE_THRESHOLD_BLOCKS < EVERY_SECONDS, "before balances are compared unasked"
    world.read()
    assert {world.status(order_id) for order_id in orders} == {"awaiting_payment"}
    assert {world.escrow(order_id).final_units for order_id in orders} == {AMOUNT}
    assert set(asked) == {1, 2}


def test_headers_are_kept_for_a_while(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: they could have been kept for ever, or the other chains' have gone with them."""
    monkeypatch.setattr(chain, "KEPT_BLOCKS", 5)
    other = Block(chain_id=OTHER_CHAIN, hash="0x01", number=1, parent_hash="0x00", time=1)
    with transaction(world.engine) as session:
        session.add(other)
    for _ in range(11):
        world.mine()
    world.mine(final=False)
    kept = sorted((block.chain_id, block.number) for block in world.all(Block))
    mine = world.platform.domain.chain_id
    assert kept == [(OTHER_CHAIN, 1), *((mine, number) for number in range(6, 13))]


@pytest.mark.parametrize("final", [True, False], ids=["final", "seen"])
def test_a_replay_of_more_than_fits_in_memory(
    world: World, monkeypatch: pytest.MonkeyPatch, final: bool
) -> None:
    """Found: it could have gone on until the memory was full."""
    order_id = world.funded()
    world.mine(world.deposit(order_id, 1), world.deposit(order_id, 2), final=final)

    def replayed() -> int:
        return replay.replay(world.engine, world.platform, world.chain, 0, lambda *_: None).logs

    monkeypatch.setattr(replay, "MAX_LOGS", 3)
    assert replayed() == 3
    monkeypatch.setattr(replay, "MAX_LOGS", 2)
    with pytest.raises(Invalid, match="over 2 logs by block 2; start later") as refused:
        replayed()
    assert refused.value.code == "too_many_logs"
