"""Orders from the match to the payment."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest
from otc_sdk import messages
from otc_sdk.terms import EscrowDomain
from sqlmodel import Session

from coordinator.db.orders import Order
from coordinator.db.session import transaction
from coordinator.domain.ads import Side
from coordinator.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from coordinator.domain.orders import Actor, Event
from coordinator.services import orders
from coordinator.services.order_log import record
from tests.chain import account_of
from tests.world import AMOUNT, ARBITRATOR, BUYER, COORDINATOR, SELLER, STRANGER, TOTAL, UNIT, World


def takes(world: World, ad_id: int | None, taker: str, units: int) -> int:
    """Units taken; 0 if refused."""
    try:
        world.place(ad_id, taker=taker, amount_units=units)
    except Refused:
        return 0
    return units


@pytest.mark.parametrize("by_number", [True, False])
def test_an_ad_is_never_oversold(world: World, by_number: bool) -> None:
    total, workers, each = 50 * UNIT, 8, 7 * UNIT
    ad_id = world.post_ad(available_units=total)
    start = threading.Barrier(workers)

    def taker(number: int) -> int:
        start.wait()
        wanted = ad_id if by_number else None
        address = account_of(f"taker {number}").address
        return sum(takes(world, wanted, address, each) for _ in range(3))

    with ThreadPoolExecutor(workers) as pool:
        taken = sum(pool.map(taker, range(workers)))
    placed = sum(order.amount_units for order in world.all(Order))
    assert taken == placed == 49 * UNIT
    assert world.available(ad_id) + placed == total


def test_best_price_first_then_the_oldest(world: World) -> None:
    dear, old, young = (world.post_ad(price=Decimal(p)) for p in ("0.95", "0.93", "0.93"))
    assert world.order(world.place()).ad_id == old
    assert world.available(dear) == world.available(young) == TOTAL


def test_a_taker_of_a_buying_ad_sells(world: World) -> None:
    ad_id = world.post_ad(side=Side.BUY, maker=BUYER.address)
    order = world.order(world.place(ad_id, side=Side.SELL, taker=SELLER.address))
    assert (order.seller, order.buyer, order.maker) == (
        SELLER.address, BUYER.address, BUYER.address,
    )  # fmt: skip


def test_an_order_is_what_its_terms_say(world: World) -> None:
    order_id = world.place(world.post_ad())
    order, terms = world.order(order_id), world.terms(order_id)
    assert order_id == "0x" + terms.order_id(world.platform.domain).hex()
    assert (terms.amount_units, terms.fee_units) == (AMOUNT, AMOUNT * 50 // 10_000)
    assert order.fiat_amount_minor == 93_00
    assert order.fund_by == world.now + 900
    assert order.pay_by == terms.pay_by == order.fund_by + 900


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"amount_units": TOTAL + 1}, Conflict, "ad_does_not_fit"),
        ({"taker": SELLER.address}, Conflict, "ad_does_not_fit"),
        ({"payment_method": "cash"}, Conflict, "ad_does_not_fit"),
        ({"amount_units": 0}, Invalid, "amount_out_of_range"),
        ({"fiat_amount_minor": 1}, Invalid, "amount_out_of_range"),
        ({"taker": ARBITRATOR.address}, Forbidden, "not_a_trader"),
        ({"taker": COORDINATOR.address}, Forbidden, "not_a_trader"),
    ],
)
def test_a_refused_order_takes_nothing(
    world: World, changes: dict[str, object], error: type[Refused], code: str
) -> None:
    ad_id = world.post_ad()
    with pytest.raises(error) as refused:
        world.place(ad_id, **changes)
    assert refused.value.code == code
    assert world.available(ad_id) == TOTAL
    assert world.all(Order) == []


def test_no_ad_no_match(world: World) -> None:
    with pytest.raises(NotFound) as refused:
        world.place()
    assert refused.value.code == "no_match"
    with pytest.raises(NotFound):
        world.place(7)


def test_a_trader_has_so_many_open_orders_and_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MAX_OPEN_ORDERS_PER_TRADER", 2)
    ad_id = world.post_ad()
    first, _ = world.place(ad_id), world.place(ad_id)
    with pytest.raises(Conflict) as refused:
        world.place(ad_id)
    assert refused.value.code == "too_many_orders"
    world.withdraw(first)
    world.place(ad_id)


def change(world: World, stale: Order) -> None:
    with transaction(world.engine) as session:
        session.add(stale)
        record(session, stale, Event.TERMS_SIGNED, Actor.SELLER, "stale", world.now)


def test_a_change_in_between_is_noticed(world: World) -> None:
    order_id = world.place(world.post_ad())
    with Session(world.engine) as session:
        stale = session.get_one(Order, order_id)
        session.expunge(stale)
    world.sign_terms(order_id, BUYER)
    before = world.log(order_id)
    with pytest.raises(Conflict) as refused:
        change(world, stale)
    assert refused.value.code == "changed_meanwhile"
    assert world.log(order_id) == before


def test_two_changes_at_once_both_count(world: World) -> None:
    order_id = world.place(world.post_ad())
    start = threading.Barrier(2)

    def sign(account: object) -> None:
        start.wait()
        world.sign_terms(order_id, account)  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sign, (SELLER, BUYER)))
    assert world.order(order_id).version == 3
    assert world.events(order_id) == ["placed", "terms_signed", "terms_signed"]


def test_signing_twice_changes_nothing(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id, BUYER)
    before = world.order(order_id)
    world.sign_terms(order_id, BUYER)
    assert world.order(order_id) == before


def test_terms_are_signed_by_traders_over_these_terms(world: World) -> None:
    order_id = world.place(world.post_ad())
    terms = world.terms(order_id)
    others = (
        terms.signable(EscrowDomain(1, world.platform.domain.escrow)),
        replace(terms, amount_units=terms.amount_units + 1).signable(world.platform.domain),
    )
    for message in others:
        with pytest.raises(Invalid), transaction(world.engine) as session:
            orders.sign_terms(
                session, world.platform, order_id, BUYER.address, messages.sign(BUYER, message),
                world.now, world.chain.verify_1271,
            )  # fmt: skip
    for account in (STRANGER, ARBITRATOR):
        with pytest.raises(Forbidden):
            world.sign_terms(order_id, account)
    assert world.events(order_id) == ["placed"]


def test_a_withdrawn_order_gives_its_amount_back(world: World) -> None:
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    assert world.available(ad_id) == TOTAL - AMOUNT
    world.withdraw(order_id)
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)
    with pytest.raises(Conflict):
        world.withdraw(order_id)
    assert world.available(ad_id) == TOTAL


def test_nobody_withdraws_once_a_deposit_was_seen(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.mine(world.deposit(order_id, 1), final=False)
    with pytest.raises(Conflict) as refused:
        world.withdraw(order_id)
    assert refused.value.code == "deposit_seen"
    assert world.status(order_id) == "pending"


def test_a_stranger_withdraws_nothing(world: World) -> None:
    order_id = world.place(world.post_ad())
    for account in (STRANGER, ARBITRATOR):
        with pytest.raises(Forbidden):
            world.withdraw(order_id, account)


def test_an_unfunded_order_expires_by_the_final_chains_time(world: World) -> None:
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    fund_by = world.order(order_id).fund_by
    world.mine(at=fund_by - 1)
    assert world.expire() == 0
    world.mine(at=fund_by, final=False)
    assert world.expire() == 0, "a block that can vanish ends nothing"
    world.mine()
    assert world.expire() == 1
    assert (world.status(order_id), world.available(ad_id)) == ("expired", TOTAL)
    assert world.expire() == 0
    assert world.available(ad_id) == TOTAL


@pytest.mark.parametrize("final", [True, False], ids=["final", "seen"])
def test_only_the_buyer_says_paid_and_only_in_time(world: World, final: bool) -> None:
    order_id = world.funded()
    with pytest.raises(Forbidden):
        world.mark_paid(order_id, SELLER)
    with pytest.raises(Invalid):
        world.mark_paid(order_id, BUYER, signer=STRANGER)
    world.mine(at=world.order(order_id).pay_by, final=final)
    with pytest.raises(Conflict) as refused:
        world.mark_paid(order_id)
    assert refused.value.code == "too_late"
    assert world.status(order_id) == "awaiting_payment"


def test_paid_until_the_last_second(world: World) -> None:
    order_id = world.funded()
    world.mine(at=world.order(order_id).pay_by - 1)
    world.mark_paid(order_id)
    assert world.status(order_id) == "paid"
    assert world.order(order_id).payment_reference == "transfer 1"
    with pytest.raises(Conflict):
        world.mark_paid(order_id)


def test_nobody_pays_before_the_deposit_is_final(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.mine(world.deposit(order_id), final=False)
    with pytest.raises(Conflict):
        world.mark_paid(order_id)
