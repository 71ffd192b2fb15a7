"""How often one may ask: over a limit 429 with Retry-After, and nothing is done."""

from collections.abc import Callable

import httpx
import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk.client import Client

from coordinator.api.rate_limits import (
    PER_MINUTE,
    RateLimits,
    RouteClass,
    TooManyRequests,
    class_of,
)
from coordinator.db.ads import Ad
from tests.api.test_routes import AD
from tests.world import BUYER, SELLER, World

People = Callable[[LocalAccount], Client]


def use_up(limits: RateLimits, what: RouteClass, who: str, leave: int = 0) -> None:
    for _ in range(PER_MINUTE[what] - leave):
        limits.require(what, who)


def too_many(answer: httpx.Response) -> bool:
    body, wait = answer.json(), int(answer.headers.get("Retry-After", "0"))
    return (answer.status_code, body["code"]) == (429, "too_many_requests") and 1 <= wait <= 60


def test_a_wallets_creations(
    world: World, client: People, http: httpx.Client, limits: RateLimits
) -> None:
    seller, buyer = client(SELLER), client(BUYER)
    use_up(limits, RouteClass.CREATIONS, SELLER.address, leave=1)
    assert seller.http.post("/ads", json=AD).status_code == 201
    assert too_many(seller.http.post("/ads", json=AD))
    assert len(world.all(Ad)) == 1
    # Neither its other requests nor other wallets are held up.
    assert seller.http.get("/orders").status_code == 200
    assert buyer.http.post("/ads", json=AD).status_code == 201


def test_sign_ins_of_an_address(http: httpx.Client, limits: RateLimits) -> None:
    use_up(limits, RouteClass.SIGN_INS, "127.0.0.1", leave=1)
    assert http.post("/auth/nonce").status_code == 200
    assert too_many(http.post("/auth/nonce"))
    assert http.get("/platform").status_code == 200


def test_any_requests_of_an_address(http: httpx.Client, limits: RateLimits) -> None:
    use_up(limits, RouteClass.REQUESTS, "127.0.0.1")
    assert too_many(http.get("/platform"))
    assert too_many(http.post("/auth/sign-in", content=b"x"))
    assert http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/orders", "reads"), ("POST", "/orders", "creations"),
        ("POST", "/ads/", "creations"), ("POST", "/orders/0x1/paid", "writes"),
        ("POST", "/ads/1/close", "writes"),
    ],
)  # fmt: skip
def test_what_is_counted_together(method: str, path: str, what: str) -> None:
    assert class_of(method, path) == what


def test_limits_are_scaled_and_turned_off() -> None:
    half, none = RateLimits(50), RateLimits(0)
    for _ in range(PER_MINUTE[RouteClass.SIGN_INS] // 2):
        half.require(RouteClass.SIGN_INS, "me")
    with pytest.raises(TooManyRequests, match="more than 300 sign_ins in a minute"):
        half.require(RouteClass.SIGN_INS, "me")
    half.require(RouteClass.SIGN_INS, "you")
    for _ in range(2 * PER_MINUTE[RouteClass.SIGN_INS]):
        none.require(RouteClass.SIGN_INS, "me")
