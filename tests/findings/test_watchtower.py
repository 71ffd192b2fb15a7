"""A buyer who paid is defended, whatever the seller, the node or the chain does first."""

from coordinator.db.session import transaction
from coordinator.services import sending
from coordinator.services.intents import MAX_REPEATS
from coordinator.services.settlements import MIN_VALIDITY_SECONDS
from tests.findings.world import LiveWorld, keeper_of
from tests.world import AMOUNT, SELLER, World


def test_paid_while_a_release_is_announced(live: LiveWorld) -> None:
    """Found: a seller's release that was never sent took the buyer's "I have paid" away."""
    order_id = live.funded()
    live.sign_settlement(order_id, SELLER, AMOUNT, live.now + MIN_VALIDITY_SECONDS)
    live.keeper.step()
    assert live.status(order_id) == "awaiting_release"
    live.mark_paid(order_id)
    live.request_refund(order_id)
    live.carry()
    assert live.disputed(order_id)


def test_a_dispute_that_is_refused_for_now_is_brought_again(live: LiveWorld) -> None:
    """Found: a node behind the deposit refused the dispute once, and it was dropped for good."""
    order_id = live.paid()
    live.open_dispute(order_id)
    with live.code(live.platform.token, "0x5f5f5260205ff3"):  # nobody has anything
        live.carry()
    assert live.intent(order_id).reason.startswith("Short")  # type: ignore[union-attr]
    live.carry_again()
    assert live.disputed(order_id)


def test_a_dispute_that_reverted_is_brought_again(live: LiveWorld) -> None:
    """Found: a dispute that the chain had reverted counted as brought, for ever."""
    order_id = live.paid()
    live.open_dispute(order_id)
    live.send_in_vain()
    assert live.events(order_id)[-1] == "transaction_reverted"
    live.open_dispute(order_id)
    live.carry()
    assert live.disputed(order_id)


def test_the_keeper_looks_again(live: LiveWorld) -> None:
    """Found: the watchtower acted on news alone, and there is none after a lost dispute."""
    order_id = live.paid()
    live.request_refund(order_id)
    live.send_in_vain()
    assert not live.disputed(order_id)
    live.keeper.step()
    live.carry()
    assert live.disputed(order_id)


def test_a_dispute_that_is_always_refused_ends_no_worker(world: World) -> None:
    """Found: after 50 refusals of one hostile buyer's dispute, keeper and watcher ended."""
    order_id = world.paid()
    world.mine(world.event("RefundRequested", order_id))
    keeper = keeper_of(world)
    for _ in range(MAX_REPEATS):
        newest = world.intents()[-1]
        with transaction(world.engine) as session:
            sending.obsolete(session, newest.id or 0, "TooExpensive()", world.now)
        keeper.step()
    world.mine(world.deposit(order_id, 1))
    assert len(world.intents()) == MAX_REPEATS


def test_a_keeper_without_news_brings_nothing_twice(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("RefundRequested", order_id))
    keeper = keeper_of(world)
    for _ in range(3):
        keeper.step()
    assert len(world.intents()) == 1
