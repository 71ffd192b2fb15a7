"""What contracts sign, and what disputes there are, must take nobody else's share of the sender."""

import pytest

from coordinator.domain import fees
from coordinator.domain.gas import MAX_GAS
from coordinator.services.ports import Call, NodeDown
from coordinator.workers.sender import MAX_EXAMINING_SECONDS, MAX_INTENTS_PER_STEP
from tests.findings.world import (
    COMPUTE_FOR_EVER,
    CONTRACT_SIGNATURE,
    EVIL,
    SAY_YES,
    burn_then_say_yes,
)
from tests.sending.world import SendingWorld
from tests.world import AMOUNT, ARBITRATOR, BUYER

# Less than disputes need for waiting for a ceiling.
CHEAP_WHEN_TRIED = burn_then_say_yes(250_000)


def burn(live: SendingWorld, disputes: int) -> None:
    """Disputes of a contract that are cheap when tried, and burn all they are given when mined."""
    orders = [live.funded(seller=EVIL) for _ in range(disputes)]
    with live.code(EVIL.address, SAY_YES):
        for order_id in orders:
            live.open_dispute_as_contract(order_id)
    with live.held_back():
        with live.code(EVIL.address, CHEAP_WHEN_TRIED):
            live.sender.step()
        with live.code(EVIL.address, COMPUTE_FOR_EVER):
            live.mine()
    live.carry(2)
    assert [slot.contract_signed for slot in live.slots()][-disputes:] == [True] * disputes


@pytest.mark.parametrize("answer", ["timed out", "too dear"])
def test_a_steps_worth_of_slow_disputes_leaves_room(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Found: disputes went first, and twenty that were due again and again kept every settlement
    from being looked at.
    """
    ads = [live.post_ad(maker=EVIL.address) for _ in range(MAX_INTENTS_PER_STEP + 4)]
    hostile = [live.funded(ad, seller=EVIL) for ad in ads]
    with live.code(EVIL.address, SAY_YES):
        for order_id in hostile:
            live.open_dispute_as_contract(order_id)
    slow, real = {live.intent(order_id).data for order_id in hostile}, live.account.simulate
    [order_id] = live.agreed()

    def take_long(call: Call) -> int:
        if call.data not in slow:
            return real(call)
        live.ahead_seconds += MAX_EXAMINING_SECONDS + 1
        if answer == "timed out":
            raise NodeDown("timed out")
        return 10 * MAX_GAS

    monkeypatch.setattr(live.account, "simulate", take_long)
    live.carry()
    assert live.status(order_id) == "completed"


def test_contracts_disputes_spend_no_more_than_their_part(live: SendingWorld) -> None:
    """Found: they wait for no ceiling, but what they burnt was the whole day's."""
    live.sender.max_day_fee_wei = 600_000 * fees.price(live.account.quote())
    burn(live, 4)
    [order_id] = live.agreed()
    live.carry()
    assert live.status(order_id) == "completed"


def test_a_panels_ruling_waits_for_no_traders_contract(live: SendingWorld) -> None:
    """Found: the panel is a contract, too, and traders' contracts could spend its part of a day."""
    order_id = live.paid()
    live.open_dispute(order_id)
    live.carry()
    burn(live, 2)
    live.sender.max_day_fee_wei = 2_000_000 * fees.price(live.account.quote())
    with live.code(ARBITRATOR.address, SAY_YES):
        until = live.now + 3600
        live.sign_settlement(order_id, ARBITRATOR, AMOUNT, until, CONTRACT_SIGNATURE)
        live.sign_settlement(order_id, BUYER, AMOUNT, until)
        live.carry(2)
    assert live.status(order_id) == "completed"
