"""Nothing is lost and nothing doubled, whatever becomes of a nonce."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from coordinator.adapters.chain.sender import Account
from coordinator.domain import fees
from coordinator.services.ports import Receipt
from coordinator.workers.flight import REBROADCAST_AFTER_SECONDS
from coordinator.workers.sender import LOOK_SECONDS
from tests.findings.world import FINAL_AFTER_BLOCKS
from tests.sending.world import SendingWorld
from tests.world import AMOUNT, BUYER, STRANGER


def paid_once(world: SendingWorld, order_id: str) -> bool:
    """The vault is empty, and its order was settled in one transaction."""
    return (
        world.status(order_id) == "completed"
        and world.tokens(world.order(order_id).vault) == 0
        and world.events(order_id).count("completed") <= 1
    )


# The pool forgets


def test_what_the_pool_dropped_is_sent_again_as_it_was(world: SendingWorld) -> None:
    [order_id] = world.agreed()
    with world.held_back():
        world.sender.step()
        world.anvil.rpc("anvil_dropAllTransactions")
        world.later(REBROADCAST_AFTER_SECONDS)
        world.sender.step()
        world.mine()
    world.sender.step()
    assert paid_once(world, order_id)
    assert len(world.attempts()) == 1


def test_a_gap_is_filled_with_nothing(world: SendingWorld) -> None:
    """A transaction that the books do not know took a nonce in the pool, and was dropped there."""
    [order_id] = world.agreed()
    with world.held_back():
        world.push(world.gas, STRANGER.address, b"", 10**9)
        world.sender.step()
        [ours] = world.slots()
        assert ours.nonce == world.account.transaction_count() + 1, "skips what the pool knows"
        world.anvil.rpc("anvil_dropAllTransactions")
        world.later(REBROADCAST_AFTER_SECONDS)
        world.sender.step()
        world.mine()
    world.sender.step()
    filler = world.slots()[1]
    assert (filler.nonce, filler.to, filler.data) == (ours.nonce - 1, world.gas.address, "0x")
    assert [slot.status for slot in world.slots()] == ["final", "final"]
    assert paid_once(world, order_id)


def test_no_gap_is_filled_that_the_pool_has(world: SendingWorld) -> None:
    world.agreed()
    with world.held_back():
        world.push(world.gas, STRANGER.address, b"", 10**9)
        world.sender.step()
        world.sender.step()
        world.mine()
    assert len(world.slots()) == 1


# Stuck


def test_a_stuck_one_pays_more_each_time_and_not_for_ever(world: SendingWorld) -> None:
    world.agreed()
    with world.held_back():
        for _ in range(fees.MAX_ATTEMPTS + 2):
            world.sender.step()
            world.later(fees.REPLACE_AFTER_SECONDS)
        tries = world.attempts()
        assert len(tries) == fees.MAX_ATTEMPTS
        for before, after in pairwise(tries):
            for name in ("maxFeePerGas", "maxPriorityFeePerGas"):
                assert after.fees[name] * 1000 >= before.fees[name] * 1125
        assert len({slot.nonce for slot in world.slots()}) == 1


def test_a_stuck_one_stays_below_the_ceiling(world: SendingWorld) -> None:
    world.agreed()
    with world.held_back():
        world.sender.step()
        [first] = world.attempts()
        world.account.max_fee_wei = first.max_fee_wei * 1124 // 1000
        world.later(fees.REPLACE_AFTER_SECONDS)
        world.sender.step()
        assert len(world.attempts()) == 1
        world.mine()
    world.sender.step()
    assert world.statuses() == ["completed"], "it goes on with what it has"


def test_an_older_attempt_may_be_the_one_that_is_mined(world: SendingWorld) -> None:
    [order_id] = world.agreed()
    with world.held_back():
        world.sender.step()
        world.later(fees.REPLACE_AFTER_SECONDS)
        world.sender.step()
        old, _ = world.attempts()
        world.anvil.rpc("anvil_dropAllTransactions")
        world.anvil.rpc("eth_sendRawTransaction", old.raw)
        world.mine()
    world.sender.step()
    [slot] = world.slots()
    assert (slot.tx_hash, slot.status) == (old.tx_hash, "final")
    assert paid_once(world, order_id)


# Reorgs


def test_a_receipt_that_is_reorged_away_is_in_flight_again(world: SendingWorld) -> None:
    [order_id] = world.agreed()
    world.sender.step()
    assert [slot.status for slot in world.slots()] == ["mined"]
    world.anvil.rpc("anvil_rollback", 1)
    world.anvil.rpc("anvil_dropAllTransactions")
    with world.held_back():
        world.sender.step()
        assert [slot.status for slot in world.slots()] == ["sent"]
        # The chain's time, by which this world lives, went back, too.
        world.later(3 * REBROADCAST_AFTER_SECONDS)
        world.sender.step()
        world.mine()
    world.sender.step()
    assert paid_once(world, order_id)
    assert len(world.attempts()) == 1


def test_what_was_final_and_is_gone_is_sent_again(world: SendingWorld) -> None:
    """Deeper than any chain promises: the watcher halts, the sender goes on with the same bytes."""
    world.agreed()
    world.sender.step()
    world.mine_final()
    world.read()
    world.sender.step()
    assert [slot.status for slot in world.slots()] == ["final"]
    world.anvil.rpc("anvil_rollback", FINAL_AFTER_BLOCKS + 2)
    world.anvil.rpc("anvil_dropAllTransactions")
    world.mine_final()
    world.later(LOOK_SECONDS)
    world.sender.step()
    assert [intent.status for intent in world.intents()] == ["sent"]
    world.later(REBROADCAST_AFTER_SECONDS)
    world.sender.step()
    world.mine_final()
    world.sender.step()
    assert [slot.status for slot in world.slots()] == ["mined"], "the books know another block"
    assert len(world.attempts()) == 1


class StaleNode(Account):
    """A stand-in for a node that still serves the receipts of a block that is not the chain's."""

    def receipt(self, tx_hash: str) -> Receipt | None:
        found = super().receipt(tx_hash)
        return None if found is None else replace(found, block_hash="0x" + "11" * 32)


def test_a_receipt_of_another_block_is_not_final(world: SendingWorld) -> None:
    world.agreed()
    world.account.__class__ = StaleNode
    world.carry(3)
    assert [slot.status for slot in world.slots()] == ["mined"]
    world.account.__class__ = Account
    world.sender.step()
    assert [slot.status for slot in world.slots()] == ["final"]


# The key is used elsewhere, the books come from a backup


@pytest.mark.parametrize("words", ["already imported", "nonce too low"])
def test_the_nodes_words_are_no_success(world: SendingWorld, words: str) -> None:
    world.agreed()
    with world.held_back(), capture_logs() as logs:
        world.sender.step()
        if words == "nonce too low":
            world.anvil.rpc("anvil_dropAllTransactions")
            world.push(world.gas, STRANGER.address, b"", 10**9)
            world.anvil.rpc("evm_mine")
        [attempt] = world.attempts()
        world.account.broadcast(attempt.raw)
        world.sender.step()
    assert words in next(entry["answer"] for entry in logs if "answer" in entry).lower()
    assert [intent.status for intent in world.intents()] == ["sent"]


def test_a_nonce_that_was_used_elsewhere_is_given_up_when_that_is_final(
    world: SendingWorld,
) -> None:
    [order_id] = world.agreed()
    with world.held_back():
        world.sender.step()
        world.anvil.rpc("anvil_dropAllTransactions")
        world.push(world.gas, BUYER.address, b"", 10**9)
        world.anvil.rpc("evm_mine")
        world.sender.step()
        assert [slot.status for slot in world.slots()] == ["sent"], "a reorg may bring it back"
    world.mine()
    world.sender.step()
    assert [slot.status for slot in world.slots()] == ["lost"]
    world.carry(2)
    assert [slot.status for slot in world.slots()] == ["lost", "final"]
    assert paid_once(world, order_id)


@pytest.mark.parametrize("mined", [True, False], ids=["mined", "in the pool"])
def test_what_a_restored_backup_forgot_is_not_paid_twice(world: SendingWorld, mined: bool) -> None:
    [order_id] = world.agreed()
    before = world.tokens(BUYER.address)
    with world.held_back():
        world.sender.step()
        world.forget(world.slots()[0])
        if mined:
            world.anvil.rpc("anvil_mine", hex(FINAL_AFTER_BLOCKS + 1))
        world.sender.step()
        world.mine()
    world.sender.step()
    world.carry(2)
    world.carry_again()
    terms = world.terms(order_id)
    assert world.tokens(BUYER.address) - before == AMOUNT - terms.fee_units
    assert paid_once(world, order_id)
    assert world.intents()[0].status in ("obsolete", "final")


def test_nonces_skip_ahead_of_restored_books(world: SendingWorld) -> None:
    first, second = world.agreed(), world.agreed()
    world.account.no_simulation_until = math.inf
    world.carry(2)
    [*_, newest] = world.slots()
    world.forget(newest)
    third = world.agreed()
    world.carry(2)
    assert len({slot.nonce for slot in world.slots()}) == len(world.slots())
    assert all(paid_once(world, order_id) for order_id in first + second + third)
