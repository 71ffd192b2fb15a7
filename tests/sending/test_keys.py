"""Several keys share the work; none takes what it cannot do, and no queue starves a dispute."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from eth_typing import HexStr
from structlog.testing import capture_logs

from coordinator.adapters.chain.sender import Account
from coordinator.domain import fees
from coordinator.services.ports import Call, NodeDown
from coordinator.workers import sender as worker
from coordinator.workers.sender import DISPUTES_IN_FLIGHT, MAX_IN_FLIGHT
from tests.chain import Anvil
from tests.findings.world import MAX_FEE_WEI
from tests.sending.world import SendingWorld


def test_two_keys_send_nothing_twice(world: SendingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_INTENTS_PER_STEP", 2)
    orders = world.agreed(6)
    senders = (world.sender, world.another_key())
    with ThreadPoolExecutor(2) as pool:
        for _ in range(4):
            list(pool.map(lambda sender: sender.step(), senders))
            world.mine()
    assert world.statuses() == ["completed"] * len(orders)
    carried = [intent.slot_id for intent in world.intents()]
    assert set(carried) == {slot.id for slot in world.slots()}, "and none reverted"
    assert {slot.sender for slot in world.slots()} == {s.node.address for s in senders}
    assert all(events.count("transaction_mined") == 1 for events in map(world.events, orders))


def test_a_second_process_with_the_same_key_waits(world: SendingWorld) -> None:
    world.sender.step()
    twin = world.sender_of(world.gas)
    world.others.append(twin)
    with pytest.raises(NodeDown, match="another sender works"):
        twin.step()
    world.sender.lock.release()
    twin.step()


def test_a_key_without_coins_leaves_the_work_to_others(world: SendingWorld) -> None:
    world.agreed(2)
    other = world.another_key()
    world.anvil.rpc("anvil_setBalance", world.gas.address, "0x1")
    with capture_logs() as logs:
        world.sender.step()
        world.sender.step()
    assert [entry["condition"] for entry in logs if entry["event"] == "key"] == ["empty"]
    assert world.condition(world.gas.address) == "empty"
    assert world.slots() == []
    other.step()
    world.mine()
    assert world.statuses() == ["completed"] * 2
    world.anvil.rpc("anvil_setBalance", world.gas.address, hex(10**24))
    world.later(worker.LOOK_SECONDS)
    world.sender.step()
    assert world.condition(world.gas.address) == "ok"


def test_a_key_that_runs_low_works_and_says_so(world: SendingWorld) -> None:
    world.agreed()
    wei = fees.usual_wei(world.account.quote()) * (fees.LOW_TRANSACTIONS - 1)
    world.anvil.rpc("anvil_setBalance", world.gas.address, hex(wei))
    world.carry()
    assert (world.condition(world.gas.address), world.statuses()) == ("low", ["completed"])


def test_in_flight_has_a_limit_and_a_place_for_disputes(world: SendingWorld) -> None:
    world.account.no_simulation_until = math.inf
    settlements = MAX_IN_FLIGHT - DISPUTES_IN_FLIGHT
    world.agreed(settlements + 1)
    disputed = world.paid()
    with world.held_back():
        world.sender.step()
        world.sender.step()
        assert len(world.slots()) == settlements
        assert world.condition(world.gas.address) == "full"
        world.open_dispute(disputed)
        world.sender.step()
        assert len(world.slots()) == settlements + 1
        world.mine()
    world.carry(2)
    assert world.disputed(disputed)
    assert world.statuses().count("completed") == settlements + 1


def test_over_the_ceiling_of_the_day_only_disputes_go(world: SendingWorld) -> None:
    world.agreed(2)
    disputed = world.paid()
    world.open_dispute(disputed)
    world.sender.max_day_fee_wei = 0
    with capture_logs() as logs:
        world.carry(3)
    said = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [entry["condition"] for entry in said] == ["over_budget"], "once"
    assert world.disputed(disputed)
    assert [intent.status for intent in world.intents()] == ["pending", "pending", "final"]
    world.sender.max_day_fee_wei = 10**18
    world.carry(2)
    assert world.statuses()[:2] == ["completed"] * 2


def test_of_a_batch_that_is_more_than_is_left_of_the_day_goes_what_is_not(
    world: SendingWorld,
) -> None:
    """Found: they were joined again and again, and none was sent before the day was over."""
    world.agreed(3)
    world.sender.max_day_fee_wei = fees.usual_wei(world.account.quote()) * 2
    world.sender.step()
    assert [intent.status for intent in world.intents()] == ["mined", "pending", "pending"]
    assert "ceiling of a day" in (world.intents()[1].reason or "")


def test_a_chain_without_base_fees_is_paid_by_gas_price() -> None:
    old = Anvil("--hardfork", "berlin").start()
    try:
        url = old.url
        account = Account(url, old.w3.eth.chain_id, old.funded_account(), MAX_FEE_WEI)
        today = account.quote()
        assert list(today) == ["gasPrice"]
        signed = account.sign(Call(account.address, "0x"), 0, 21_000, today)
        account.broadcast(signed.raw)
        old.w3.eth.wait_for_transaction_receipt(HexStr(signed.tx_hash), 10, 0.01)
        found = account.receipt(signed.tx_hash)
        assert found is not None
        assert found.fee_wei == 21_000 * today["gasPrice"]
    finally:
        old.stop()
