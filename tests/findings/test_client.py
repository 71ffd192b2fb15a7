"""A wallet against a coordinator that lies: the client signs nothing of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from otc_sdk.client import MIN_PAY_AHEAD_SECONDS
from otc_sdk.errors import ApiError, TermsError
from otc_sdk.order import MAX_CLOCK_AHEAD_SECONDS, VALIDITY_SECONDS

from coordinator.cli.session import Refused, fetch
from tests.chain import account_of
from tests.findings.told import KNOWN, Json, Told, order
from tests.world import AMOUNT, PLATFORM, SELLER, STRANGER

YEAR_2100 = 4_102_444_800


@pytest.fixture
def client() -> Iterator[Told]:
    with Told() as told:
        yield told


def refuses(client: Told, told: Json) -> bool:
    """The client signs none of an order's messages."""
    acts: list[Callable[[], Json]] = [
        lambda: client.sign_terms(told),
        lambda: client.mark_paid(told, "transfer 1"),
        lambda: client.open_dispute(told, "why"),
        lambda: client.release(told),
        lambda: client.refund(told),
    ]
    for act in acts:
        with pytest.raises(TermsError):
            act()
    return not client.signed()


def test_what_is_honest_is_signed(client: Told) -> None:
    client.sign_in()
    client.sign_terms(order())
    client.release(order())
    assert client.signed()


def test_a_foreign_escrow() -> None:
    """Found: the server's word named the contract, so a vault of the server's own was funded."""
    escrow = account_of("another escrow").address
    with pytest.raises(TermsError, match="escrow was"):
        Told(escrow=escrow)
    with pytest.raises(TermsError, match="not the trusted escrow"):
        Told(pinned=[replace(KNOWN, escrow=escrow)], escrow=escrow)
    with Told() as client:
        assert refuses(client, order(escrow))


@pytest.mark.parametrize("name", ["token", "coordinator", "arbitrator", "fee_recipient"])
def test_an_address_that_is_not_advertised(client: Told, name: str) -> None:
    """Found: with two keys of the server's own in the terms, the server could take the deposit."""
    foreign: Json = {name: STRANGER.address}
    assert refuses(client, order(**foreign))


def test_a_fee_over_the_advertised(client: Told) -> None:
    """Found: the contract's 5 % was the only limit to a fee that nobody had been told."""
    assert refuses(client, order(fee_units=AMOUNT * PLATFORM.fee_bps // 10_000 + 1))


def test_a_default_share_that_is_not_advertised(client: Told) -> None:
    """Found: with all to the buyer by default, a silent arbitrator gave the deposit away."""
    assert refuses(client, order(default_buyer_bps=10_000))


def test_pay_by_in_2100(client: Told) -> None:
    """Found: a false time of creation made a horizon of 75 years look like half an hour."""
    assert refuses(client, order(pay_by=YEAR_2100, created_at=YEAR_2100 - 1800))


def test_an_id_of_another_order(client: Told) -> None:
    """Found: what was shown and what was signed could be two orders."""
    assert refuses(client, {**order(), "id": order(salt=2)["id"]})


def test_a_settlement_valid_for_ever_by_the_servers_clock(client: Told) -> None:
    """Found: a false block time made a settlement that can be sent for ever."""
    client.answers["/health"]["block_time"] = 2**50
    with pytest.raises(TermsError):
        client.release(order())
    assert not client.signed()


def test_a_settlement_valid_for_too_long(client: Told) -> None:
    """Found: nothing bounded how long a release could lie in somebody's drawer."""
    latest = int(time.time()) + MAX_CLOCK_AHEAD_SECONDS + VALIDITY_SECONDS
    with pytest.raises(TermsError):
        client.sign_settlement(order(), AMOUNT, latest + 3600)
    assert not client.signed()


def test_sign_in_to_another_site(client: Told) -> None:
    """Found: the server could pass another site's challenge on and sign in there as the trader."""
    client.answers["/auth/nonce"]["domain"] = "good-exchange.example"
    with pytest.raises(ApiError):
        client.sign_in()
    assert "/auth/sign-in" not in client.posted


def test_an_order_that_was_not_asked_for(client: Told) -> None:
    """Found: who wanted to sell 100 could be given terms over 200, or as the buyer."""
    want = {"side": "sell", "amount_units": str(AMOUNT)}
    for proposed in (
        order(amount_units=2 * AMOUNT),
        order(seller=STRANGER.address, buyer=SELLER.address),
    ):
        client.answers["/orders"] = proposed
        with pytest.raises(TermsError):
            client.place_order(want)


def test_another_order_than_asked_for(client: Told) -> None:
    """Found: asked for a small order that was paid, the server told of a large one that was not."""
    paid, other = order(), order(salt=2, amount_units=100 * AMOUNT, fee_units=0)
    client.answers[f"/orders/{paid['id']}"] = other
    with pytest.raises(TermsError, match="asked for order"):
        client.release(client.order(paid["id"]))
    with pytest.raises(TermsError, match="asked for order"):
        client.release(fetch(client, paid["id"], yes=True).facts)
    assert not client.signed()


def test_an_answer_of_another_order(client: Told) -> None:
    """Found: what a verb answered with was taken for the order that it was of."""
    mine, other = order(), order(salt=2)
    client.answers[f"/orders/{mine['id']}/terms-signature"] = other
    with pytest.raises(TermsError, match="asked for order"):
        client.sign_terms(mine)


def test_an_id_that_nobody_looks_at_is_whole(client: Told) -> None:
    """Found: with `--yes` the server chose the order, by an id that began as the one meant."""
    for text in (order()["id"][:12], order()["id"][:-1]):
        with pytest.raises(Refused, match="whole id"):
            fetch(client, text, yes=True)


FIAT = {"fiat": "EUR", "payment_method": "sepa", "fiat_amount_minor": "9300", "worst_price": "0.93"}


def test_what_the_fiat_buys_is_taken(client: Told) -> None:
    client.answers["/orders"] = order()
    assert client.place_order({"side": "sell", **FIAT})["id"] == order()["id"]


@pytest.mark.parametrize(
    ("changes", "facts", "words"),
    [
        ({"amount_units": 100 * AMOUNT, "fee_units": 0}, {}, "is not the amount"),
        (
            {"amount_units": 100 * AMOUNT, "fee_units": 0},
            {"price": "0.0093", "fiat_amount_minor": "9300"},
            "the price 0.0093 is worse",
        ),
        ({}, {"price": "0.92", "fiat_amount_minor": "9200"}, "the price 0.92 is worse"),
        ({}, {"fiat_amount_minor": "1"}, "at its price, 9300 would be due"),
        ({}, {"fiat": "BRL"}, "another fiat"),
        ({}, {"payment_method": "cash"}, "another payment_method"),
        *(({}, {"price": price}, "tells no price") for price in ("1e99999999", "NaN", "-1", "x")),
    ],
)
def test_an_order_for_other_fiat_than_asked_for(
    client: Told, changes: Json, facts: Json, words: str
) -> None:
    """Found: who gave the fiat and the worst price was proposed any amount at any price."""
    client.answers["/orders"] = order(**changes) | facts
    with pytest.raises(TermsError, match=words):
        client.place_order({"side": "sell", **FIAT})


def test_a_makers_price(client: Told) -> None:
    """Found: a merchant's program signed at any price that the coordinator told."""
    cheap = order() | {"price": "0.5", "fiat_amount_minor": "5000"}
    with pytest.raises(TermsError, match=r"the price 0\.5 is worse"):
        client.sign_terms(cheap, worst_price="0.93")
    assert not client.signed()
    client.sign_terms(order(), worst_price="0.93")


@pytest.mark.parametrize("ahead_seconds", [-86_400, 0, MIN_PAY_AHEAD_SECONDS - 5])
def test_terms_that_leave_no_time_to_pay(client: Told, ahead_seconds: int) -> None:
    """Found: terms whose pay-by time was over were signed; the seller could take the refund."""
    late = order(pay_by=int(time.time()) + ahead_seconds)
    client.answers["/orders"] = late
    for act in (lambda: client.sign_terms(late), lambda: client.place_order({"side": "sell"})):
        with pytest.raises(TermsError, match="pay-by time"):
            act()
    assert not client.signed()
    client.release(late)
