"""One of two nodes lies: what it alone says is never final, and ends no worker."""

from dataclasses import replace
from typing import Any

import pytest
from sqlmodel import select

from coordinator.db.chain import Cursor
from coordinator.db.intents import Intent
from coordinator.db.ledger import LedgerEntry
from coordinator.db.session import transaction
from coordinator.db.settlements import Settlement
from coordinator.services import disputes, node_health, settlements
from coordinator.services.ports import Header, NodeDown, RawLog
from coordinator.services.reconciliation import EVERY_SECONDS, RETRY_SECONDS
from coordinator.workers.watcher import RANGE_THRESHOLD_BLOCKS
from tests.findings.two_nodes import TwoNodes
from tests.watching import pool_of, watcher_over
from tests.world import AMOUNT, SELLER, World, watcher_of

WEEK_SECONDS = 7 * 86_400


def refuse() -> list[RawLog]:
    raise NodeDown("the range is too large")


def signed(world: World) -> str:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    return order_id


def test_a_deposit_in_a_block_that_is_final_already(two: TwoNodes) -> None:
    """Found: a log that named a final block as its own was final at once, and a buyer paid."""
    order_id = signed(two)
    two.chain.mine()
    two.lie(two.deposit(order_id), block_number=0)
    two.read_in_vain()
    assert two.status(order_id) == "pending"
    assert two.all(LedgerEntry) == []


def test_another_event_in_the_place_of_a_true_one(two: TwoNodes) -> None:
    """Found: what was seen of a log stayed when all nodes said otherwise of the final one."""
    order_id = signed(two)
    two.chain.mine(two.deposit(order_id))
    two.lie(two.settled(order_id, AMOUNT))
    two.read()
    assert two.escrow(order_id).settled_tx != ""
    two.repent()
    assert two.status(order_id) == "awaiting_payment"
    assert two.escrow(order_id).settled_tx == ""


def test_a_deposit_for_another_order(two: TwoNodes) -> None:
    """Found: and the order that the liar had named kept the deposit."""
    ad_id = two.post_ad()
    true, other = two.place(ad_id), two.place(ad_id)
    two.sign_terms(true)
    two.sign_terms(other)
    two.chain.mine(two.deposit(true))
    two.lie(two.deposit(other))
    two.read()
    two.repent()
    assert [two.status(order_id) for order_id in (true, other)] == ["awaiting_payment", "pending"]
    assert [two.escrow(order_id).seen_units for order_id in (true, other)] == [AMOUNT, 0]
    assert {entry.account for entry in two.all(LedgerEntry)} >= {f"vault:{true}"}


def test_a_fork_that_ranges_meet(world: World) -> None:
    """Found: a range that ended at a block which a reorg had replaced failed for ever."""
    order_id = signed(world)
    for _ in range(5):
        world.mine(final=False)
    world.chain.reorg(5)
    world.chain.mine(world.deposit(order_id))
    for _ in range(2 * RANGE_THRESHOLD_BLOCKS):
        world.chain.mine()
    world.chain.finalize()
    world.watcher.range_blocks = 1
    world.read()
    assert world.cursor().final_number == world.chain.final_number
    assert world.status(order_id) == "awaiting_payment"


def test_a_final_head_that_only_one_node_has(two: TwoNodes) -> None:
    """Found: ranges of no blocks were read for ever, and nothing else."""
    order_id = signed(two)
    two.mine()
    head = two.chain.head()
    two.liar.final_head = lambda: replace(head, number=10**6)
    two.chain.mine(two.deposit(order_id))
    two.watcher.step()
    assert two.escrow(order_id).seen_units == AMOUNT


def test_the_time_of_a_deposit(two: TwoNodes) -> None:
    """Found: of the time of a final log, one node's word counted: a late deposit was in time."""
    order_id = signed(two)
    fund_by = two.order(order_id).fund_by
    two.chain.mine(two.deposit(order_id), at=fund_by)
    (true,) = two.chain.logs
    two.liar.said[true.block_hash] = [replace(true, block_time=fund_by - 1)]
    two.chain.finalize()
    two.read()
    assert two.escrow(order_id).final_funded_at == fund_by
    assert two.status(order_id) == "pending"


def test_one_vault_that_the_nodes_disagree_on(two: TwoNodes) -> None:
    """Found: the orders behind it in the queue were compared no more, and nobody could pay."""
    ad_id = two.post_ad()
    doubtful, other = two.place(ad_id), two.place(ad_id)
    two.sign_terms(doubtful)
    two.sign_terms(other)
    vault, balance = two.order(doubtful).vault, two.chain.token_balance
    two.liar.token_balance = lambda token, owner, block: (
        balance(token, owner, block) + (owner == vault)
    )
    two.mine(two.deposit(doubtful))
    two.mine(two.deposit(other))
    assert [two.status(order_id) for order_id in (doubtful, other)] == [
        "pending",
        "awaiting_payment",
    ]


def test_a_lost_deposit_behind_a_node_that_gives_small_ranges(two: TwoNodes) -> None:
    """Found: one order's history was asked for in ranges that such a node always refuses."""
    order_id = signed(two)
    two.chain.mine(two.deposit(order_id))
    (lost,) = two.chain.logs
    two.chain.logs.clear()
    for _ in range(30):
        two.chain.mine()
    two.chain.finalize()
    two.read()
    two.chain.logs.append(lost)
    two.liar.logs_in_range = lambda first, last, *query: (
        two.chain.logs_in_range(first, last, *query) if last - first < 10 else refuse()
    )
    two.mine(at=two.now + EVERY_SECONDS)
    for _ in range(10):
        two.mine(at=two.now + RETRY_SECONDS)
    assert two.status(order_id) == "awaiting_payment"


def test_a_dispute_that_was_seen_makes_nobody_pay(world: World) -> None:
    """Found: what was final counted alone, and the buyer was told to pay a disputed order."""
    order_id = signed(world)
    world.chain.mine(world.deposit(order_id))
    world.chain.finalize()
    world.mine(world.event("Disputed", order_id), final=False)
    assert world.status(order_id) == "pending"


def test_a_settlement_that_was_never_made_silences_no_watchtower(two: TwoNodes) -> None:
    """Found: a log that one node invented was enough for the buyer's dispute not to be brought."""
    order_id = two.paid()
    two.mine(two.event("RefundRequested", order_id), final=False)
    with transaction(two.engine) as session:
        session.delete(session.exec(select(Intent)).one())
    two.chain.mine()
    two.lie(two.settled(order_id, 0))
    two.read_in_vain()
    assert two.escrow(order_id).settled_tx != ""
    with transaction(two.engine) as session:
        disputes.watch_due(session, two.platform, two.now, 10)
    assert [intent.order_id for intent in two.intents()] == [order_id]


def test_a_watcher_that_starts_while_a_node_is_down(two: TwoNodes) -> None:
    """Found: it asked all nodes for the start block, though it had come much further."""
    order_id = signed(two)
    two.watcher.lock.release()
    pool = pool_of(two.chain, Down())
    two.watcher = watcher_over(pool, two.engine, two.platform, 0, lambda: two.now)
    two.chain.mine(two.deposit(order_id))
    two.read_in_vain()
    assert two.escrow(order_id).seen_units == AMOUNT


def test_what_a_node_says_can_be_kept(two: TwoNodes) -> None:
    """Found: an error with a NUL, which PostgreSQL refuses, ended the watcher at its report."""
    two.liar.head = lambda: say("no\0\ud800")
    two.watcher.node_reports = two.pool.report
    two.watcher.reported_at = 0
    two.chain.mine()
    two.read_in_vain()
    with transaction(two.engine) as session:
        said = [row.reason for row in node_health.read(session, two.platform.domain.chain_id)]
    assert "no??" in said


def say(words: str) -> Header:
    raise NodeDown(words)


class Down:
    """A node that does not answer."""

    def __getattr__(self, method: str) -> Any:
        return lambda *_: say("it does not answer")


def test_a_watcher_whose_node_did_not_answer_at_its_start(world: World) -> None:
    """Found: it kept its lock, and the next attempt found another watcher there."""
    world.watcher.lock.release()
    with transaction(world.engine) as session:
        session.delete(session.exec(select(Cursor)).one())
    with pytest.raises(NodeDown, match="start block") as first:
        watcher_over(pool_of(world.chain), world.engine, world.platform, 999, lambda: world.now)
    world.watcher = watcher_of(world)
    world.mine()
    assert first.value is not None


# A block from the future: only its one node says so


@pytest.fixture
def future(two: TwoNodes) -> TwoNodes:
    """The newest block is a week ahead, by the word of one node; two orders wait."""
    two.orders = [two.funded(), two.funded()]
    two.liar.ahead_seconds = WEEK_SECONDS
    two.chain.mine()
    two.read_in_vain()
    assert two.cursor().time > two.now
    return two


def test_it_does_not_end_a_buyers_time_to_pay(future: TwoNodes) -> None:
    order_id, _ = future.orders
    future.mark_paid(order_id)
    assert future.status(order_id) == "paid"


def test_it_makes_no_terms_that_end_in_a_week(future: TwoNodes) -> None:
    order_id = future.place(future.post_ad())
    assert future.terms(order_id).pay_by < future.now + WEEK_SECONDS


def test_it_neither_ends_nor_brings_about_a_settlement(future: TwoNodes) -> None:
    one, other = future.orders
    split = future.sign_settlement(one, SELLER, 5)
    future.mine(future.event("RefundRequested", other), final=False)
    refund = future.sign_settlement(other, SELLER, 0)
    with transaction(future.engine) as session:
        settlements.advance_due(session, future.platform, future.now, 10)
    assert [future.get(Settlement, s.id).status for s in (split, refund)] == ["collecting"] * 2
    assert [future.status(o) for o in future.orders] == ["awaiting_payment"] * 2
