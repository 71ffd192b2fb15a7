"""Every order ends: what is signed early is sent when it is due, and silence has an end too."""

from tests.findings.world import LiveWorld
from tests.world import AMOUNT, ARBITRATOR, BUYER, SELLER

DAY = 86_400


def work(live: LiveWorld) -> None:
    """Keeper and sender, each once."""
    live.keeper.step()
    live.carry()


def test_a_ruling_signed_before_the_dispute_is_seen(live: LiveWorld) -> None:
    """Found: signatures that suffice only later were never looked at again."""
    order_id = live.paid()
    until = live.now + DAY
    for account in (ARBITRATOR, BUYER):
        live.sign_settlement(order_id, account, 4, until)
    live.open_dispute(order_id, SELLER)
    live.carry()
    assert live.status(order_id) == "disputed"
    work(live)
    assert live.status(order_id) == "completed"
    assert live.tokens(BUYER.address) >= 4


def test_a_refund_signed_before_its_time(live: LiveWorld) -> None:
    """Found: a seller who signed within the refund window had to come back after it."""
    order_id = live.funded()
    live.request_refund(order_id)
    live.sign_settlement(order_id, SELLER, 0, live.now + DAY)
    work(live)
    assert live.status(order_id) == "awaiting_payment"
    live.mine(at=live.now + live.terms(order_id).refund_window_seconds)
    work(live)
    assert live.status(order_id) == "cancelled"


def test_nobody_rules(live: LiveWorld) -> None:
    """Found: the default split was anyone's to send, and nobody sent it."""
    order_id = live.paid()
    live.open_dispute(order_id)
    live.carry()
    live.mine(at=live.now + live.terms(order_id).ruling_window_seconds)
    work(live)
    assert live.status(order_id) == "disputed", "the coordinator's time, not the default's"
    live.mine(at=live.now + live.terms(order_id).final_window_seconds)
    before = live.tokens(BUYER.address)
    work(live)
    assert live.status(order_id) == "completed"
    assert live.tokens(BUYER.address) > before


def test_a_late_deposit_is_released_by_both(live: LiveWorld) -> None:
    """Found: an order that had expired took no release, though traders and contract agreed."""
    order_id = live.place(live.post_ad())
    live.sign_terms(order_id)
    live.mine(at=live.order(order_id).fund_by)
    live.keeper.step()
    assert live.status(order_id) == "expired"
    live.fund(order_id)
    live.mine()
    live.split(order_id, AMOUNT)
    work(live)
    assert live.status(order_id) == "completed"


def test_a_late_deposit_goes_back(live: LiveWorld) -> None:
    """Found to be a way out: the buyer of an expired order signs, the coordinator co-signs."""
    order_id = live.late()
    live.sign_settlement(order_id, BUYER, 0)
    work(live)
    assert live.status(order_id) == "cancelled"
    assert live.tokens(live.order(order_id).vault) == 0
