"""A wallet against a coordinator that lies: the client signs nothing of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from otc_sdk.client import MAX_CLOCK_AHEAD_SECONDS, VALIDITY_SECONDS, Client
from otc_sdk.deployment import escrow_address
from otc_sdk.errors import ApiError, TermsError
from otc_sdk.terms import EscrowDomain, Terms, vault_address

from tests.chain import account_of
from tests.world import AMOUNT, PLATFORM, SELLER, STRANGER

URL = "https://exchange.example"
YEAR_2100 = 4_102_444_800
Json = dict[str, Any]


class Told(Client):
    """A client whose coordinator's words the test chooses; what it would post is kept."""

    def __init__(self, **lies: Any) -> None:
        self.answers: dict[str, Json] = {
            "/platform": {
                "chain_id": 31337, "escrow": escrow_address(), "token": PLATFORM.token,
                "token_symbol": "USDT", "token_decimals": 6, "fee_bps": PLATFORM.fee_bps,
                "coordinator": PLATFORM.coordinator, "arbitrator": PLATFORM.arbitrator,
                "fee_recipient": PLATFORM.fee_recipient,
                "default_buyer_bps": PLATFORM.default_buyer_bps, **lies,
            },
            "/health": {"block_time": int(time.time())},
            "/auth/nonce": {"nonce": "a" * 16, "domain": "exchange.example", "chain_id": 31337},
            "/auth/sign-in": {"token": "t"},
        }  # fmt: skip
        self.posted: list[str] = []
        super().__init__(URL, SELLER)

    def request(self, method: str, path: str, **_: Any) -> Any:
        if method == "POST":
            self.posted.append(path)
        return self.answers.get(path, {})

    def signed(self) -> bool:
        return any(path.startswith("/orders/") for path in self.posted)


def terms(**changes: Any) -> Terms:
    """What the platform advertises."""
    honest = Terms(
        token=PLATFORM.token, amount_units=AMOUNT, fee_units=AMOUNT * PLATFORM.fee_bps // 10_000,
        fee_recipient=PLATFORM.fee_recipient, seller=SELLER.address,
        buyer=account_of("buyer").address, coordinator=PLATFORM.coordinator,
        arbitrator=PLATFORM.arbitrator, pay_by=int(time.time()) + 1800,
        refund_window_seconds=3600, ruling_window_seconds=86_400, final_window_seconds=86_400,
        default_buyer_bps=PLATFORM.default_buyer_bps, salt=1,
    )  # fmt: skip
    return replace(honest, **changes)


def order(escrow: str | None = None, created_at: int | None = None, **changes: Any) -> Json:
    """An order as the coordinator tells it: id and vault follow from the terms."""
    proposed, domain = terms(**changes), EscrowDomain(31337, escrow or escrow_address())
    order_id = proposed.order_id(domain)
    return {
        "id": "0x" + order_id.hex(), "terms": proposed.to_dict(),
        "seller": proposed.seller, "buyer": proposed.buyer, "arbitrator": proposed.arbitrator,
        "amount_units": str(proposed.amount_units), "created_at": created_at or int(time.time()),
        "escrow": {"vault": vault_address(domain, order_id)},
    }  # fmt: skip


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
    with Told(escrow=escrow) as client:
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
