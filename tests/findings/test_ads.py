"""An ad's units are sold once and given back once; the book shows the honest."""

from typing import Any

import pytest
from eth_account.signers.local import LocalAccount

from coordinator.db.ads import Ad
from coordinator.db.session import transaction
from coordinator.domain.errors import Forbidden
from coordinator.services.matching import MAX_CANDIDATES
from tests.world import (
    ARBITRATOR,
    BUYER,
    COORDINATOR,
    OFFER,
    SELLER,
    STRANGER,
    TOTAL,
    World,
)


def settle_late_deposit(world: World, order_id: str) -> None:
    """One unit comes late and goes back to the seller."""
    world.mine(world.deposit(order_id, 1))
    world.mine(world.settled(order_id, 0))


def test_units_of_a_cancelled_order_go_back_once(world: World) -> None:
    """Found: the refund of a late deposit gave the units back again, and the watcher ended."""
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    world.withdraw(order_id)
    settle_late_deposit(world, order_id)
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)


def test_units_of_an_expired_order_go_back_once(world: World) -> None:
    """Found: as above, for an order that nobody had funded in time."""
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    world.mine(at=world.order(order_id).fund_by)
    world.expire()
    settle_late_deposit(world, order_id)
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)


def test_units_of_a_revived_order_go_back_once(world: World) -> None:
    """Found: a late deposit and a dispute bring an ended order to life, to end once more."""
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    world.withdraw(order_id)
    world.mine(world.deposit(order_id))
    world.mine(world.event("Disputed", order_id))
    world.mine(world.settled(order_id, 0))
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)


def spam(world: World, **changes: Any) -> None:
    """As many ads at an unbeatable price as a search looks at."""
    posted = world.post_ad(price=OFFER.price / 2, maker=STRANGER.address, **changes)
    with transaction(world.engine) as session:
        values = session.get_one(Ad, posted).model_dump(exclude={"id"})
        session.add_all(Ad(**values) for _ in range(MAX_CANDIDATES))


@pytest.mark.parametrize(
    "useless",
    [
        {"available_units": 1},
        {"payment_methods": frozenset({"cash"})},
        {"min_fiat_minor": 10**12, "max_fiat_minor": 10**12},
        {"max_fiat_minor": 1},
    ],
    ids=["nothing left", "another payment method", "for whales", "for crumbs"],
)
@pytest.mark.parametrize(
    "want", [{}, {"amount_units": None, "fiat_amount_minor": 9_300}], ids=["tokens", "fiat"]
)
def test_spam_hides_no_honest_ad(
    world: World, useless: dict[str, Any], want: dict[str, Any]
) -> None:
    """Found: ten free accounts with ads that serve nobody hid all honest ones from a search."""
    spam(world, **useless)
    world.post_ad()
    assert world.order(world.place(**want)).seller == SELLER.address


@pytest.mark.parametrize("judge", [COORDINATOR, ARBITRATOR], ids=["coordinator", "arbitrator"])
def test_who_judges_does_not_trade(world: World, judge: LocalAccount) -> None:
    """Found: the arbitrator's ad at the best price made every search end in an error."""
    with pytest.raises(Forbidden):
        world.post_ad(maker=judge.address)
    ad_id = world.post_ad()
    with pytest.raises(Forbidden):
        world.place(ad_id, taker=judge.address)
    assert world.order(world.place()).buyer == BUYER.address
