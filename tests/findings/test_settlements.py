"""Settlements that fail, flood, wait or pay nothing."""

import pytest

from coordinator.domain.errors import Conflict, Invalid
from coordinator.services.settlements import MAX_SETTLEMENTS_PER_ROLE, MIN_VALIDITY_SECONDS
from tests.findings.world import LiveWorld
from tests.world import AMOUNT, ARBITRATOR, BUYER, SELLER, World


def release(live: LiveWorld, order_id: str) -> None:
    """The seller's and the coordinator's, announced and not sent yet."""
    live.sign_settlement(order_id, SELLER, AMOUNT, live.now + MIN_VALIDITY_SECONDS)
    live.keeper.step()
    assert live.status(order_id) == "awaiting_release"


def let_it_expire(live: LiveWorld) -> None:
    live.mine(at=live.now + MIN_VALIDITY_SECONDS + 1)
    live.carry()


def disputed(live: LiveWorld) -> str:
    order_id = live.paid()
    live.open_dispute(order_id)
    live.carry()
    assert live.status(order_id) == "disputed"
    return order_id


def test_a_release_that_expires_at_once_is_refused(world: World) -> None:
    """Found: a release of three seconds announced a payout that could not be sent any more."""
    order_id = world.paid()
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT, world.now + MIN_VALIDITY_SECONDS - 1)
    assert refused.value.code == "validity"
    assert world.status(order_id) == "paid"


def test_a_release_that_was_not_sent_in_time_is_undone(live: LiveWorld) -> None:
    """Found: an order whose release had expired stood at "awaiting release" for ever."""
    order_id = live.paid()
    release(live, order_id)
    let_it_expire(live)
    assert live.status(order_id) == "paid"


def test_undone_before_payment(live: LiveWorld) -> None:
    """Found: as above, for a buyer who had not paid yet and was told to wait for the tokens."""
    order_id = live.funded()
    release(live, order_id)
    let_it_expire(live)
    assert live.status(order_id) == "awaiting_payment"


def test_undone_under_dispute(live: LiveWorld) -> None:
    """Found: such a release took a dispute off the arbitrator's desk."""
    order_id = disputed(live)
    release(live, order_id)
    let_it_expire(live)
    assert live.status(order_id) == "disputed"


def test_a_release_that_reverts_is_undone(live: LiveWorld) -> None:
    """Found: a settlement that the chain had reverted counted as under way."""
    order_id = live.paid()
    release(live, order_id)
    live.send_in_vain()
    assert live.status(order_id) == "paid"
    live.mine(at=live.now + 1)
    release(live, order_id)
    live.carry()
    assert live.status(order_id) == "completed"


def test_a_failed_settlement_is_not_signed_again(live: LiveWorld) -> None:
    """Found: the same values signed again were taken without a word, and nothing was sent."""
    order_id, until = live.paid(), live.now + MIN_VALIDITY_SECONDS * 2
    live.sign_settlement(order_id, SELLER, AMOUNT, until)
    live.keeper.step()
    live.send_in_vain()
    with pytest.raises(Conflict) as refused:
        live.sign_settlement(order_id, SELLER, AMOUNT, until)
    assert refused.value.code == "settlement_failed"


def test_a_paused_token_is_waited_out(live: LiveWorld) -> None:
    """Found: while the issuer had the token paused, settlements were dropped for good."""
    order_id = live.paid()
    live.order_token("pause")
    live.split(order_id, AMOUNT)
    live.carry()
    assert live.status(order_id) == "awaiting_release"
    live.order_token("unpause")
    live.carry_again()
    assert live.status(order_id) == "completed"


def test_one_role_that_floods_silences_no_other(world: World) -> None:
    """Found: a buyer who never paid signed 20 splits, and no ruling could be given any more."""
    order_id = world.paid()
    for units in range(1, MAX_SETTLEMENTS_PER_ROLE + 1):
        world.sign_settlement(order_id, BUYER, units)
    world.mine(world.event("Disputed", order_id))
    until = world.now + 3600
    for account in (ARBITRATOR, SELLER):
        world.sign_settlement(order_id, account, 0, until)
    assert world.status(order_id) == "awaiting_refund"


def test_an_empty_vault_costs_no_gas(world: World) -> None:
    """Found: strangers had the coordinator pay for settlements of vaults that held nothing."""
    order_id = world.place(world.post_ad())
    for account in (SELLER, BUYER):
        with pytest.raises(Conflict) as refused:
            world.sign_settlement(order_id, account, 0, world.now + 3600)
        assert refused.value.code == "not_funded"
    assert world.intents() == []
