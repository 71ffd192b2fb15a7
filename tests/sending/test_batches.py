"""Settlements that wait together go out together if that is cheaper, and none for another."""

import math
from typing import Any

import pytest
from otc_sdk import calls

from coordinator.adapters.chain.sender import NO_SIMULATION_SECONDS
from coordinator.domain import batches
from coordinator.services.ports import Call
from coordinator.services.sending import FAILED_IN_BATCH
from coordinator.workers.sender import RETRY_REFUSED_SECONDS
from tests.findings.test_sender_held_up import OVER_THE_GAS_LIMIT
from tests.findings.world import EVIL, SAY_YES
from tests.sending.world import SendingWorld


def is_batch(world: SendingWorld) -> list[bool]:
    return [calls.is_batch(slot.data) for slot in world.slots()]


def test_what_waits_together_goes_together_and_costs_less(world: SendingWorld) -> None:
    world.agreed(3)
    world.carry(2)
    assert world.statuses() == ["completed"] * 3
    [slot] = world.slots()
    assert slot.status == "final"
    assert (slot.gas_used or 0) < slot.singles_gas * 0.85
    assert abs((slot.gas_used or 0) - slot.gas_estimate) < slot.gas_estimate * 0.05
    assert {intent.slot_id for intent in world.intents()} == {slot.id}


def test_nobody_waits_for_company(world: SendingWorld) -> None:
    world.agreed(1)
    world.carry(2)
    assert (world.statuses(), is_batch(world)) == (["completed"], [False])


def test_what_the_chain_refuses_alone_is_left_out(world: SendingWorld) -> None:
    settled, *_ = world.agreed(3)
    world.settle_directly(settled)
    world.sender.step()
    assert [intent.status for intent in world.intents()] == ["pending", "mined", "mined"]
    assert world.intents()[0].reason.startswith("AlreadySettled")
    assert is_batch(world) == [True]


def test_an_item_that_somebody_settled_first_fails_alone(world: SendingWorld) -> None:
    first, *_ = world.agreed(3)
    with world.held_back():
        world.sender.step()
        world.settle_directly(first)
        world.mine()
    world.sender.step()
    assert [intent.status for intent in world.intents()] == ["pending", "final", "final"]
    assert (world.intents()[0].alone, world.intents()[0].reason) == (True, FAILED_IN_BATCH)
    world.sender.step()
    assert world.intents()[0].status == "obsolete", "the chain says AlreadySettled"
    world.read()
    assert world.statuses() == ["completed"] * 3
    assert "transaction_reverted" in world.events(first)


def test_signers_that_burn_gas_fail_among_themselves(world: SendingWorld) -> None:
    """They say yes when asked, and burn all they can get once they are in a block."""
    world.agreed(2)
    evil = [world.funded(seller=EVIL) for _ in range(2)]
    with world.code(EVIL.address, SAY_YES):
        for order_id in evil:
            world.split(order_id, 1, EVIL)
        with world.held_back():
            world.sender.step()
            assert is_batch(world) == [True, True]
            with world.code(EVIL.address, OVER_THE_GAS_LIMIT):
                world.mine()
    world.sender.step()
    assert world.statuses() == [*["completed"] * 2, *["awaiting_release"] * 2]
    assert [intent.status for intent in world.intents()] == [*["final"] * 2, *["pending"] * 2]
    assert [slot.contract_signed for slot in world.slots()] == [False, True]
    assert all((slot.gas_used or 0) < batches.MAX_GAS for slot in world.slots())


def test_a_signer_that_is_dear_joins_no_batch(world: SendingWorld) -> None:
    world.agreed(2)
    evil = world.funded(seller=EVIL)
    with world.code(EVIL.address, "0x5f6204000052" + SAY_YES[2:]):
        world.split(evil, 1, EVIL)
        world.sender.step()
        world.mine()
    assert is_batch(world) == [True, False]


def test_a_node_that_cannot_simulate_gets_single_ones(world: SendingWorld) -> None:
    world.account.no_simulation_until = math.inf
    world.agreed(2)
    world.carry(2)
    assert (world.statuses(), is_batch(world)) == (["completed"] * 2, [False] * 2)


def test_a_node_that_cannot_simulate_is_asked_again_after_an_hour(
    world: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: one node's answer ended batches until the next start."""
    provider, asked, clock = world.account.w3.provider, [0], [0.0]
    real = provider.make_request

    def ignorant(method: Any, params: Any) -> Any:
        if method != "eth_simulateV1":
            return real(method, params)
        asked[0] += 1
        return {"error": {"code": -32601, "message": "the method does not exist"}}

    monkeypatch.setattr(provider, "make_request", ignorant)
    monkeypatch.setattr("coordinator.adapters.chain.sender.time.monotonic", lambda: clock[0])
    call = Call(world.platform.domain.escrow, "0x")
    for clock[0], times in ((0.0, 1), (NO_SIMULATION_SECONDS - 1, 1), (NO_SIMULATION_SECONDS, 2)):
        assert world.account.try_batch(call, 10**6) is None
        assert asked == [times]


def test_a_batch_above_the_ceiling_of_a_transaction_is_smaller(world: SendingWorld) -> None:
    world.agreed(4)
    one = world.intents()[0]
    gas = batches.gas_limit([world.account.simulate(Call(one.to, one.data))] * 2)
    world.account.max_fee_wei = world.account.quote()["maxFeePerGas"] * gas * 11 // 10
    world.carry(3)
    assert world.statuses() == ["completed"] * 4
    assert all(a.max_fee_wei <= world.account.max_fee_wei for a in world.attempts())
    assert is_batch(world) == [True, True]


def test_a_paused_token_stops_all_and_loses_none(world: SendingWorld) -> None:
    world.agreed(3)
    world.order_token("pause")
    world.carry()
    assert [intent.status for intent in world.intents()] == ["pending"] * 3
    world.order_token("unpause")
    world.later(RETRY_REFUSED_SECONDS)
    world.carry(2)
    assert world.statuses() == ["completed"] * 3


@pytest.mark.parametrize(
    ("estimates", "max_gas", "length"),
    [
        ([], 10**9, 0),
        ([100_000], 10**9, 0),
        ([100_000] * 2, 10**9, 2),
        ([100_000] * 2, 449_999, 0),
        ([100_000] * 3, 450_000, 2),
        ([100_000] * 30, 10**9, batches.MAX_ITEMS),
        ([batches.MAX_ITEM_GAS] * 30, 10**9, 16),
    ],
)
def test_how_many_fit(estimates: list[int], max_gas: int, length: int) -> None:
    assert batches.length(estimates, max_gas) == length
    if length:
        assert batches.gas_limit(estimates[:length]) <= min(max_gas, batches.MAX_GAS)


def test_dear_ones_and_those_that_failed_go_alone() -> None:
    assert batches.may_join(batches.MAX_ITEM_GAS, alone=False)
    assert not batches.may_join(batches.MAX_ITEM_GAS + 1, alone=False)
    assert not batches.may_join(100_000, alone=True)
