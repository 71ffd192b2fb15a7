"""Disputes at a trader's word, and the watchtower."""

import pytest
from otc_sdk import calls, messages
from otc_sdk.roles import Role

from coordinator.db.session import transaction
from coordinator.domain.errors import Conflict, Forbidden, Invalid
from coordinator.services import disputes, sending
from tests.world import AMOUNT, ARBITRATOR, BUYER, SELLER, STRANGER, World


def brought(world: World, order_id: str) -> int:
    return world.events(order_id).count("dispute_brought")


@pytest.mark.parametrize("trader", [SELLER, BUYER], ids=["seller", "buyer"])
def test_a_trader_opens_a_dispute(world: World, trader: object) -> None:
    order_id = world.paid()
    world.open_dispute(order_id, trader)  # type: ignore[arg-type]
    [intent] = world.intents()
    role = Role.SELLER if trader is SELLER else Role.BUYER
    signature = messages.sign(trader, world.dispute_message(order_id))  # type: ignore[arg-type]
    data = calls.dispute(world.terms(order_id), role, signature)
    assert intent.data == "0x" + data.hex()
    assert world.status(order_id) == "paid", "it is disputed when the chain says so"


def test_who_may_not(world: World) -> None:
    order_id = world.paid()
    for account in (STRANGER, ARBITRATOR):
        with pytest.raises(Forbidden):
            world.open_dispute(order_id, account)
    with pytest.raises(Invalid):
        world.open_dispute(order_id, BUYER, signer=SELLER)
    assert world.intents() == []


def test_an_order_that_is_not_covered(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.mine(world.deposit(order_id, AMOUNT - 1))
    with pytest.raises(Conflict) as refused:
        world.open_dispute(order_id)
    assert refused.value.code == "not_funded"


@pytest.mark.parametrize(("event", "code"), [("Disputed", "disputed"), ("Settled", "not_funded")])
def test_an_order_that_is_disputed_or_settled(world: World, event: str, code: str) -> None:
    order_id = world.paid()
    happened = {
        "Disputed": world.event("Disputed", order_id),
        "Settled": world.settled(order_id, AMOUNT),
    }
    world.mine(happened[event], final=False)
    with pytest.raises(Conflict) as refused:
        world.open_dispute(order_id)
    assert refused.value.code == code


def test_the_watchtower_answers_a_refund_request_once(world: World) -> None:
    order_id = world.paid()
    assert world.intents() == []
    world.mine(world.event("RefundRequested", order_id), final=False)
    world.mine(world.deposit(order_id, 1))
    world.mine()
    [intent] = world.intents()
    signature = messages.sign(BUYER, world.dispute_message(order_id))
    data = calls.dispute(world.terms(order_id), Role.BUYER, signature)
    assert intent.data == "0x" + data.hex()
    assert brought(world, order_id) == 1


def test_the_watchtower_does_not_wait_for_finality(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("RefundRequested", order_id), final=False)
    assert len(world.intents()) == 1


def test_a_reorged_and_repeated_request_is_answered_once(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("RefundRequested", order_id), final=False)
    world.chain.reorg(1)
    world.mine()
    world.mine(world.event("RefundRequested", order_id))
    assert (len(world.intents()), brought(world, order_id)) == (1, 1)


@pytest.mark.parametrize("also", ["Disputed", "Settled"])
def test_the_watchtower_is_not_needed_any_more(world: World, also: str) -> None:
    order_id = world.paid()
    event = world.settled(order_id, 0) if also == "Settled" else world.event(also, order_id)
    world.mine(world.event("RefundRequested", order_id), event)
    with transaction(world.engine) as session:
        assert all(sending.is_over(session, intent.id or 0) for intent in world.intents())
        disputes.watch_due(session, world.platform, world.now, 10)
    assert len(world.intents()) <= 1


def test_the_watchtower_does_not_speak_for_a_buyer_who_did_not_pay(world: World) -> None:
    order_id = world.funded()
    world.mine(world.event("RefundRequested", order_id))
    assert world.intents() == []


def test_a_dispute_that_the_chain_refused_once_can_be_brought_again(world: World) -> None:
    order_id = world.paid()
    world.open_dispute(order_id)
    [intent] = world.intents()
    with transaction(world.engine) as session:
        sending.obsolete(session, intent.id or 0, "Short(...)", world.now)
    world.mine(world.event("RefundRequested", order_id))
    dropped, again = world.intents()
    assert (dropped.status, again.status) == ("obsolete", "pending")
    assert (again.data, again.key) == (dropped.data, f"{dropped.key}#2")
    assert brought(world, order_id) == 2


@pytest.mark.parametrize("also", ["Disputed", "Settled"])
def test_what_is_final_when_a_witness_is_heard(world: World, also: str) -> None:
    """It was asked before."""
    order_id = world.paid()
    world.mine(world.settled(order_id, 0) if also == "Settled" else world.event(also, order_id))
    with transaction(world.engine) as session:
        disputes.defend(session, world.platform, order_id, world.now)
    assert world.intents() == []


def test_a_seller_may_ask_for_a_refund_by_the_chains_clock_or_ours(world: World) -> None:
    order_id = world.paid()
    pay_by = world.terms(order_id).pay_by

    def to_defend(now: int) -> list[str]:
        with transaction(world.engine) as session:
            return disputes.to_defend(session, world.platform, now, 10)

    assert (to_defend(pay_by - 1), to_defend(pay_by)) == ([], [order_id])
    world.mine(at=pay_by)
    assert to_defend(pay_by - 60) == [order_id]
