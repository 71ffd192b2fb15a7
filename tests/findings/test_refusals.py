"""What one node refuses now is over only when the final chain says so."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from coordinator.services.ports import Reverted
from coordinator.workers.sender import MAX_GAS, MAX_RETRY_SECONDS, RETRY_REFUSED_SECONDS
from tests.chain import Anvil
from tests.sending.world import SendingWorld
from tests.world import AMOUNT, BUYER, SELLER


@pytest.fixture
def world(engine: Engine, anvil: Anvil) -> Iterator[SendingWorld]:
    made = SendingWorld(engine, anvil)
    try:
        yield made
    finally:
        made.close()


def test_a_settlement_by_others_that_is_reorged_away(world: SendingWorld) -> None:
    """Found: ours was dropped as settled already, and the order never ended."""
    [order_id] = world.agreed()
    world.settle_directly(order_id)
    world.sender.step()
    assert world.intent(order_id).reason.startswith("AlreadySettled")
    world.anvil.rpc("anvil_rollback", 1)
    world.anvil.rpc("anvil_dropAllTransactions")
    world.later(2 * RETRY_REFUSED_SECONDS)
    world.carry(2)
    assert world.status(order_id) == "completed"
    assert [intent.status for intent in world.intents()] == ["final"]


def test_a_settlement_by_others_that_stays(world: SendingWorld) -> None:
    [order_id] = world.agreed()
    world.settle_directly(order_id)
    world.mine()
    world.carry()
    assert world.status(order_id) == "completed"
    assert [intent.status for intent in world.intents()] == ["obsolete"]


LIES = ["AlreadySettled()", "AlreadyDisputed()", "Expired()", "ExceedsAmount()", "InvalidTerms()"]


@pytest.mark.parametrize("lie", LIES)
def test_a_node_that_says_it_is_over(
    world: SendingWorld, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: one node's word ended an intent, and with it a settlement or a buyer's defence."""

    def refuse(_: object) -> int:
        raise Reverted(lie)

    settling = world.agreed()
    disputing = world.funded()
    world.open_dispute(disputing)
    with monkeypatch.context() as patch:
        patch.setattr(world.account, "simulate", refuse)
        world.sender.step()
    assert [intent.status for intent in world.intents()] == ["pending", "pending"]
    world.carry_again()
    assert world.status(settling[0]) == "completed"
    assert world.disputed(disputing)


def test_a_node_that_makes_a_defence_too_dear(
    world: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: it dropped the watchtower's dispute fifty times in a minute, and then there was no
    other for ever.
    """
    order_id = world.funded()
    world.open_dispute(order_id)
    with monkeypatch.context() as patch:
        patch.setattr(world.account, "simulate", lambda _: 10 * MAX_GAS)
        for _ in range(3):
            world.sender.step()
            world.later(RETRY_REFUSED_SECONDS)
    assert [intent.status for intent in world.intents()] == ["pending"]
    world.carry_again()
    assert world.disputed(order_id)


def test_an_expired_settlement_gives_its_order_back(world: SendingWorld) -> None:
    """The final chain's time says so, and the order is where it was."""
    [order_id] = world.agreed()
    world.order_token("pause")
    world.sender.step()
    world.mine(at=world.now + 3600)
    world.carry_again()
    assert world.intent(order_id).status == "obsolete"
    assert world.status(order_id) == "awaiting_payment"


def test_a_refund_that_fails_asks_nobody_to_pay(world: SendingWorld) -> None:
    """Found: a late deposit's refund that failed made its called-off order one to be paid."""
    order_id = world.place(world.post_ad())
    world.withdraw(order_id)
    world.fund(order_id)
    world.mine()
    world.sign_settlement(order_id, BUYER, 0, world.now + 3600)
    world.keeper.step()
    world.order_token("pause")
    world.sender.step()
    assert world.status(order_id) == "awaiting_refund"
    world.mine(at=world.now + 3600)
    world.carry_again()
    assert world.status(order_id) == "expired"


def test_what_is_refused_for_long_is_tried_less_and_less(world: SendingWorld) -> None:
    """Found: every refused intent was simulated four times a minute for up to thirty days."""
    order_id = world.funded()
    until = world.now + 20 * 86_400
    for account in (SELLER, BUYER):
        world.sign_settlement(order_id, account, AMOUNT, until)
    world.order_token("pause")
    waits = []
    for _ in range(60):
        world.sender.step()
        waits.append(world.intent(order_id).try_after - world.now)
        world.later(waits[-1])
    assert waits[0] == RETRY_REFUSED_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == MAX_RETRY_SECONDS
