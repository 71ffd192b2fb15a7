"""Nobody is told to pay too late, and a slow node is no catastrophe."""

import threading

import pytest

from coordinator.domain.errors import Conflict, Invalid
from coordinator.services.orders import MIN_PAY_SECONDS
from coordinator.services.ports import NodeDown
from coordinator.workers.watcher import RANGE_THRESHOLD_BLOCKS
from tests.findings.world import CONTRACT_SIGNATURE, keeper_of
from tests.world import AMOUNT, BUYER, SELLER, World

# A lock is waited for less long than this; a thread that hangs would fail the test.
PATIENCE_SECONDS = 30


def deposited(world: World, final: bool) -> str:
    """Signed, and funded in time."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.mine(world.deposit(order_id), final=final)
    return order_id


def test_finality_after_the_pay_by_time_starts_no_payment(world: World) -> None:
    """Found: a deposit that got final too late told the buyer to pay what could be refunded."""
    order_id = deposited(world, final=False)
    world.mine(at=world.order(order_id).pay_by - MIN_PAY_SECONDS + 1)
    assert world.status(order_id) == "pending"
    with pytest.raises(Conflict):
        world.mark_paid(order_id)
    world.expire()
    assert world.status(order_id) == "expired"


def test_a_signature_after_the_pay_by_time_starts_no_payment(world: World) -> None:
    """Found: the seller's terms, signed late, told the buyer to pay what could be refunded."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id, BUYER)
    world.mine(world.deposit(order_id))
    world.mine(at=world.order(order_id).pay_by)
    world.sign_terms(order_id, SELLER)
    assert world.status(order_id) == "pending"


def test_a_deposit_that_is_still_to_be_compared_is_waited_for(world: World) -> None:
    """Found: after an outage, a deposit made in time expired its order before it was looked at."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.chain.mine(world.deposit(order_id))
    for _ in range(RANGE_THRESHOLD_BLOCKS):
        world.chain.mine()
    world.chain.mine(at=world.order(order_id).fund_by)
    world.chain.finalize()
    world.watcher.step()
    world.expire()
    world.read()
    assert world.status(order_id) == "awaiting_payment"


def test_there_is_time_to_pay(world: World) -> None:
    order_id = deposited(world, final=False)
    world.mine(at=world.order(order_id).pay_by - MIN_PAY_SECONDS)
    assert world.status(order_id) == "awaiting_payment"


def test_paid_after_the_pay_by_time_is_refused(world: World) -> None:
    """Found: a buyer could say so after the seller was free to ask for a refund."""
    order_id = deposited(world, final=True)
    world.mine(at=world.order(order_id).pay_by)
    with pytest.raises(Conflict) as refused:
        world.mark_paid(order_id)
    assert refused.value.code == "too_late"


def test_a_node_behind_our_final_block_is_no_reorg(world: World) -> None:
    """Found: a pool's slow node looked like a reorg of final blocks, and the chain was halted."""
    order_id = deposited(world, final=True)
    for _ in range(10):
        world.mine()
    chain = world.chain
    headers, final = chain.blocks, chain.final_number
    chain.blocks, chain.final_number = headers[:-5], final - 5
    with pytest.raises(NodeDown):
        world.watcher.step()
    chain.blocks, chain.final_number = headers, final
    world.mine(world.deposit(order_id, 1))
    assert world.cursor().halted is None
    assert world.escrow(order_id).final_units == AMOUNT + 1


def test_a_slow_contract_holds_no_lock(world: World) -> None:
    """Found: while a node checked a party's contract signature, the whole watcher stood still."""
    order_id = world.paid()
    asked, answer = threading.Event(), threading.Event()

    def slow(*_: object) -> bool:
        asked.set()
        answer.wait(PATIENCE_SECONDS)
        return False

    def attack() -> None:
        with pytest.raises(Invalid):
            world.sign_settlement(order_id, SELLER, AMOUNT, signature=CONTRACT_SIGNATURE)

    world.chain.says_1271 = slow
    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        assert asked.wait(PATIENCE_SECONDS)
        world.mine(world.event("RefundRequested", order_id))
        assert len(world.intents()) == 1, "the watchtower works meanwhile"
    finally:
        answer.set()
        attacker.join()


def test_a_funded_order_that_expired_is_refunded(world: World) -> None:
    """Found: with the pay-by time over before finality, the seller had no way back but by time."""
    order_id = deposited(world, final=False)
    world.mine(at=world.order(order_id).pay_by)
    world.expire()
    world.sign_settlement(order_id, BUYER, 0)
    keeper_of(world).step()
    assert world.status(order_id) == "awaiting_refund"
