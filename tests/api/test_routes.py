"""Every route: the good way once, then whatever it must refuse."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk.client import Client
from otc_sdk.errors import ApiError
from otc_sdk.terms import EscrowDomain

from coordinator.api.app import create_app
from coordinator.api.context import Context
from coordinator.db.ads import Ad
from coordinator.db.orders import Order
from coordinator.db.session import transaction
from coordinator.services import halting
from tests.world import AMOUNT, ARBITRATOR, BUYER, PLATFORM, SELLER, STRANGER, TOTAL, World

People = Callable[[LocalAccount], Client]
AD = {
    "side": "sell", "fiat": "EUR", "price": "0.93", "available_units": str(TOTAL),
    "min_fiat_minor": "100", "max_fiat_minor": "100000", "payment_methods": ["sepa"],
    "pay_by_seconds": 900, "instructions": "IBAN 1",
}  # fmt: skip
WANT = {"side": "buy", "fiat": "EUR", "payment_method": "sepa", "amount_units": str(AMOUNT)}
NO_ORDER = "0x" + "00" * 32
SIGNATURE = "0x" + "11" * 65


def taken(client: People) -> dict[str, Any]:
    """An order that nobody has signed yet."""
    client(SELLER).post("/ads", AD)
    order: dict[str, Any] = client(BUYER).post("/orders", WANT)
    return order


def funded(world: World, client: People) -> dict[str, Any]:
    order = taken(client)
    client(SELLER).sign_terms(order)
    client(BUYER).sign_terms(order)
    world.mine(world.deposit(order["id"]))
    return client(BUYER).order(order["id"])


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has nothing but code and message."""
    body = answer.json()
    assert set(body) == {"code", "message"}, body
    assert body["message"]
    return answer.status_code, body["code"]


# The good way


def test_what_a_client_must_know(http: httpx.Client) -> None:
    platform = http.get("/platform").json()
    assert EscrowDomain(platform["chain_id"], platform["escrow"]) == PLATFORM.domain
    assert platform["payment_methods"] == ["cash", "sepa"]
    assert (platform["token"], platform["fee_bps"]) == (PLATFORM.token, 50)


def test_health(world: World, http: httpx.Client) -> None:
    world.mine()
    world.mine(final=False)
    assert http.get("/health").json() == {
        "database": "up", "block": 2, "block_time": world.now, "final_block": 1, "halted": None,
    }  # fmt: skip


def test_health_says_that_a_chain_is_halted(world: World, http: httpx.Client) -> None:
    with transaction(world.engine) as session:
        halting.halt(session, 31337, "it differs")
    assert http.get("/health").json()["halted"] == "it differs"


def test_ads(client: People, http: httpx.Client) -> None:
    posted = client(SELLER).post("/ads", AD)
    assert posted["available_units"] == posted["total_units"] == str(TOTAL)
    assert "instructions" not in posted, "they are for takers"
    query = {"side": "sell", "fiat": "EUR", "payment_method": "sepa"}
    [listed] = http.get("/ads", params=query).json()
    assert (listed["id"], float(listed["price"])) == (posted["id"], 0.93)
    assert http.get("/ads", params={**query, "payment_method": "cash"}).json() == []
    closed = client(SELLER).post(f"/ads/{posted['id']}/close")
    assert closed["status"] == "closed"
    assert http.get("/ads", params=query).json() == []


def test_a_release_from_ad_to_intent(world: World, client: People) -> None:
    order = funded(world, client)
    assert order["status"] == "awaiting_payment"
    assert order["terms_signed_by"] == ["seller", "buyer"]
    assert order["instructions"] == "IBAN 1"
    assert order["escrow"]["condition"] == "funded"
    assert client(BUYER).mark_paid(order, "transfer 1")["status"] == "paid"
    signed = client(SELLER).release(order)
    assert [s["status"] for s in signed["settlements"]] == ["cosigning"]
    until = signed["settlements"][0]["valid_until"]
    done = client(BUYER).sign_settlement(order, AMOUNT, until)
    assert done["status"] == "awaiting_release"
    assert [t["status"] for t in done["transactions"]] == ["pending"]
    assert set(done["settlements"][0]["signatures"]) == {"seller", "buyer"}


def test_a_dispute(world: World, client: People) -> None:
    order = funded(world, client)
    opened = client(SELLER).open_dispute(order, "no money came")
    assert [t["key"] for t in opened["transactions"]] == [f"dispute:{order['id']}:seller"]
    log = client(ARBITRATOR).get(f"/orders/{order['id']}/log")
    assert (log[-1]["event"], log[-1]["reason"]) == ("dispute_brought", "no money came")


def test_withdrawing(client: People) -> None:
    order = taken(client)
    assert client(BUYER).post(f"/orders/{order['id']}/withdraw")["status"] == "cancelled"


def test_everyone_sees_their_own_orders(client: People) -> None:
    order = taken(client)
    for account in (SELLER, BUYER, ARBITRATOR):
        assert [o["id"] for o in client(account).get("/orders")] == [order["id"]]
    assert client(STRANGER).get("/orders") == []


def test_fiat_may_be_given_instead(client: People) -> None:
    client(SELLER).post("/ads", AD)
    want = {k: v for k, v in WANT.items() if k != "amount_units"}
    order = client(BUYER).post("/orders", {**want, "fiat_amount_minor": "9300"})
    assert (order["amount_units"], order["fiat_amount_minor"]) == (str(AMOUNT), "9300")


def test_the_page_of_the_api(http: httpx.Client) -> None:
    assert http.get("/docs").status_code == 200
    paths = http.get("/openapi.json").json()["paths"]
    app = create_app(Context(*[None] * 5))  # type: ignore[arg-type]
    assert set(app.openapi()["paths"]) == set(paths)
    assert "/orders/{order_id}/settlements" in paths


# Who may not


OF_ORDERS: dict[str, dict[str, Any] | None] = {
    "/orders/{id}": None,
    "/orders/{id}/log": None,
    "/orders/{id}/terms-signature": {"signature": SIGNATURE},
    "/orders/{id}/withdraw": {},
    "/orders/{id}/paid": {"reference": "r", "dispute_signature": SIGNATURE},
    "/orders/{id}/settlements": {
        "to_buyer_units": "0", "valid_until": 1_800_003_600, "signature": SIGNATURE,
    },
    "/orders/{id}/dispute": {"signature": SIGNATURE, "reason": "r"},
}  # fmt: skip


def call(http: httpx.Client, path: str, order_id: str) -> httpx.Response:
    url, body = path.format(id=order_id), OF_ORDERS[path]
    return http.get(url) if body is None else http.post(url, json=body)


@pytest.mark.parametrize("path", OF_ORDERS)
def test_a_stranger_sees_and_changes_no_order(world: World, client: People, path: str) -> None:
    order = taken(client)
    before = world.order(order["id"]), world.log(order["id"])
    answer = call(client(STRANGER).http, path, order["id"])
    assert refusal(answer) == (403, "not_your_order")
    assert order["instructions"] not in answer.text
    assert (world.order(order["id"]), world.log(order["id"])) == before


@pytest.mark.parametrize("path", OF_ORDERS)
def test_nobody_without_signing_in(http: httpx.Client, path: str) -> None:
    assert refusal(call(http, path, NO_ORDER)) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/orders"), ("POST", "/orders"), ("POST", "/ads"), ("POST", "/ads/1/close")],
)
def test_nobody_trades_without_signing_in(http: httpx.Client, method: str, path: str) -> None:
    body = {"/orders": WANT, "/ads": AD}.get(path, {})
    assert refusal(http.request(method, path, json=body)) == (401, "not_signed_in")


@pytest.mark.parametrize("path", OF_ORDERS)
def test_no_such_order(client: People, path: str) -> None:
    assert refusal(call(client(BUYER).http, path, NO_ORDER)) == (404, "no_such_order")


@pytest.mark.parametrize("path", [p for p in OF_ORDERS if "signature" in str(OF_ORDERS[p])])
def test_a_signature_that_is_none(world: World, client: People, path: str) -> None:
    order = funded(world, client)
    before = world.order(order["id"]), world.log(order["id"])
    answer = call(client(BUYER).http, path, order["id"])
    assert refusal(answer) == (422, "bad_signature")
    assert (world.order(order["id"]), world.log(order["id"])) == before


def test_only_its_maker_closes_an_ad(client: People) -> None:
    ad = client(SELLER).post("/ads", AD)
    path = f"/ads/{ad['id']}/close"
    assert refusal(client(BUYER).http.post(path)) == (403, "not_your_ad")
    client(SELLER).post(path)
    assert refusal(client(SELLER).http.post(path)) == (409, "ad_closed")
    assert refusal(client(SELLER).http.post("/ads/99/close")) == (404, "no_such_ad")


def test_the_client_raises_what_the_api_says(client: People) -> None:
    with pytest.raises(ApiError) as refused:
        client(BUYER).post("/orders", WANT)
    assert (refused.value.status, refused.value.code) == (404, "no_match")


# Bodies that are none


BAD_UNITS: list[Any] = [1.5, 1e6, -1, "-1", "1.0", "1e6", "", " 1", None, True, [1], 10**39,
                        "9" * 40, 10**100]  # fmt: skip
BAD_AD = [
    *(("available_units", value) for value in BAD_UNITS),
    *(("max_fiat_minor", value) for value in BAD_UNITS),
    *(("price", value) for value in (0.93, 1, "NaN", "Infinity", "1e3", "", None, "0,93")),
    *(("pay_by_seconds", value) for value in (900.0, "900", True, None, 1.5)),
    ("side", "hold"),
    ("fiat", "euro"),
    ("payment_methods", "sepa"),
    ("payment_methods", ["sepa"] * 21),
    ("payment_methods", ["\x00"]),
    ("instructions", "a\x00b"),
    ("instructions", "a" * 2001),
    ("instructions", None),
]
OUT_OF_RANGE_AD = [
    ("available_units", "0", "amount_out_of_range"),
    ("available_units", "9" * 39, "amount_out_of_range"),
    ("min_fiat_minor", 0, "limits_out_of_range"),
    ("max_fiat_minor", "9" * 39, "limits_out_of_range"),
    ("price", "0", "price_out_of_range"),
    ("price", "-1", "price_out_of_range"),
    ("price", "9" * 30, "price_out_of_range"),
    ("price", "0.000000001", "price_too_fine"),
    ("pay_by_seconds", -1, "pay_by_out_of_range"),
    ("pay_by_seconds", 2**63, "pay_by_out_of_range"),
    ("payment_methods", [], "payment_methods_out_of_range"),
    ("payment_methods", ["barter"], "unknown_payment_method"),
    ("payment_methods", ["ä" * 5000], "unknown_payment_method"),
]


def test_malformed_ads(world: World, client: People) -> None:
    for field, value in BAD_AD:
        answer = client(SELLER).http.post("/ads", json={**AD, field: value})
        assert refusal(answer) == (422, "malformed"), (field, value)
    assert world.all(Ad) == []


def test_ads_out_of_range(world: World, client: People) -> None:
    for field, value, code in OUT_OF_RANGE_AD:
        answer = client(SELLER).http.post("/ads", json={**AD, field: value})
        assert refusal(answer) == (422, code), (field, value)
    assert world.all(Ad) == []


BAD_WANT = [
    *(("amount_units", value, "malformed") for value in BAD_UNITS if value is not None),
    *(("ad_id", value, "malformed") for value in (0, -1, 2**31, 10**100, "1", 1.0, True)),
    *(("worst_price", value, "malformed") for value in (0.93, "NaN", "1e999999999")),
    ("worst_price", "9" * 30, "price_out_of_range"),
    ("worst_price", "-1", "price_out_of_range"),
    ("amount_units", "0", "amount_out_of_range"),
    ("amount_units", None, "amount_out_of_range"),
    ("fiat_amount_minor", "1", "amount_out_of_range"),
    ("payment_method", "\x00", "malformed"),
]


def test_malformed_orders(world: World, client: People) -> None:
    client(SELLER).post("/ads", AD)
    for field, value, code in BAD_WANT:
        answer = client(BUYER).http.post("/orders", json={**WANT, field: value})
        assert refusal(answer) == (422, code), (field, value)
    assert world.all(Order) == []
    assert [ad.available_units for ad in world.all(Ad)] == [TOTAL]


def test_an_amount_beyond_all_ads_is_a_refusal(client: People) -> None:
    client(SELLER).post("/ads", AD)
    answer = client(BUYER).http.post("/orders", json={**WANT, "amount_units": "9" * 39})
    assert refusal(answer) == (404, "no_match")


BAD_OF_ORDER: list[tuple[str, dict[str, Any]]] = [
    ("settlements", {"valid_until": -1}),
    ("settlements", {"valid_until": 2**53 + 1}),
    ("settlements", {"valid_until": 1.5}),
    ("settlements", {"to_buyer_units": -1}),
    ("settlements", {"to_buyer_units": 0.5}),
    ("settlements", {"signature": "0x123"}),
    ("settlements", {"signature": "nonsense"}),
    ("settlements", {"signature": "0x" + "00" * 8193}),
    ("paid", {"reference": "\x00"}),
    ("paid", {"reference": ""}),
    ("paid", {"reference": "a" * 201}),
    ("dispute", {"reason": "\x00"}),
    ("dispute", {"reason": "a" * 501}),
    ("terms-signature", {"signature": None}),
]


def test_malformed_words_about_an_order(world: World, client: People) -> None:
    order = funded(world, client)
    before = world.order(order["id"]), world.log(order["id"])
    for verb, change in BAD_OF_ORDER:
        path = f"/orders/{order['id']}/{verb}"
        body = {**(OF_ORDERS[f"/orders/{{id}}/{verb}"] or {}), **change}
        answer = client(BUYER).http.post(path, json=body)
        assert refusal(answer) == (422, "malformed"), (verb, change)
    assert (world.order(order["id"]), world.log(order["id"])) == before


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'"\\ud800"', b"9" * 5000, b"[" * 9999]
)
def test_bodies_that_are_no_json(client: People, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client(SELLER).http.post("/ads", content=body, headers=headers)
    status, code = refusal(answer)
    assert (status, code) in ((422, "malformed"), (400, "bad_request"))


def test_a_signature_is_not_echoed(client: People) -> None:
    secret = "0x" + "ab" * 8193
    answer = client(BUYER).http.post(
        f"/orders/{NO_ORDER}/terms-signature", json={"signature": secret}
    )
    assert "abab" not in answer.text


@pytest.mark.parametrize("order_id", ["1", "0x00", "0x" + "AB" * 32, "0x" + "zz" * 32, "%00"])
def test_what_is_no_order_id(client: People, order_id: str) -> None:
    answer = client(BUYER).http.get(f"/orders/{order_id}")
    assert refusal(answer) == (422, "malformed")


@pytest.mark.parametrize(
    "query",
    [
        {"side": "sell"},
        {"side": "sell", "fiat": "EUR", "limit": "0"},
        {"side": "sell", "fiat": "EUR", "limit": "101"},
        {"side": "sell", "fiat": "EUR", "payment_method": "\x00"},
        {"side": "sell", "fiat": "eur"},
    ],
)
def test_queries_that_are_none(http: httpx.Client, query: dict[str, str]) -> None:
    assert refusal(http.get("/ads", params=query)) == (422, "malformed")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nothing", (404, "not_found")),
        ("DELETE", "/ads", (405, "method_not_allowed")),
        ("POST", "/ads/x/close", (422, "malformed")),
        ("POST", f"/ads/{2**31}/close", (422, "malformed")),
    ],
)
def test_no_such_route(client: People, method: str, path: str, expected: tuple[int, str]) -> None:
    assert refusal(client(BUYER).http.request(method, path)) == expected
