"""Signing in by wallet (EIP-4361)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from otc_sdk.client import Client
from siwe import SiweMessage

from coordinator.db.users import SignIn, User
from coordinator.services.users import MAX_MESSAGE_CHARS, NONCE_SECONDS, SIGN_IN_SECONDS
from tests.world import BUYER, STRANGER, World


def message(http: httpx.Client, **changes: Any) -> str:
    """A message that holds, but for the changes."""
    now = datetime.now(UTC)
    challenge = http.post("/auth/nonce").json()
    values = {
        "domain": challenge["domain"],
        "address": BUYER.address,
        "uri": "https://otc.example",
        "version": "1",
        "chain_id": 31337,
        "nonce": challenge["nonce"],
        "issued_at": now.isoformat(timespec="seconds"),
        "expiration_time": (now + timedelta(minutes=5)).isoformat(timespec="seconds"),
        **changes,
    }
    return str(SiweMessage(**values).prepare_message())


def sign_in(http: httpx.Client, text: str, by: LocalAccount = BUYER) -> httpx.Response:
    signature = "0x" + by.sign_message(encode_defunct(text=text)).signature.hex()
    return http.post("/auth/sign-in", json={"message": text, "signature": signature})


def me(http: httpx.Client, token: str) -> httpx.Response:
    return http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})


def test_who_signs_in_is_who_they_are(client: Callable[[LocalAccount], Client]) -> None:
    assert client(BUYER).get("/auth/me") == {"address": BUYER.address}


def test_the_challenge_names_domain_and_chain(http: httpx.Client) -> None:
    challenge = http.post("/auth/nonce").json()
    assert (challenge["domain"], challenge["chain_id"]) == (http.base_url.netloc.decode(), 31337)
    assert challenge["nonce"] != http.post("/auth/nonce").json()["nonce"]


def refused(world: World, answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message"}
    assert (world.all(SignIn), world.all(User)) == ([], [])


def long_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"domain": "phishing.example"}, "bad_signature"),
        ({"chain_id": 1}, "wrong_chain"),
        ({"nonce": "0123456789abcdef"}, "unknown_nonce"),
        ({"expiration_time": long_ago()}, "bad_signature"),
        ({"not_before": in_an_hour()}, "bad_signature"),
    ],
)
def test_a_message_that_does_not_hold(
    world: World, http: httpx.Client, changes: dict[str, Any], code: str
) -> None:
    refused(world, sign_in(http, message(http, **changes)), 401, code)


def test_a_foreign_signature(world: World, http: httpx.Client) -> None:
    refused(world, sign_in(http, message(http), by=STRANGER), 401, "bad_signature")


@pytest.mark.parametrize("signature", ["0x", "0x00", "0x" + "00" * 65, "0x" + "ff" * 65])
def test_a_malformed_signature(world: World, http: httpx.Client, signature: str) -> None:
    body = {"message": message(http), "signature": signature}
    refused(world, http.post("/auth/sign-in", json=body), 401, "bad_signature")


@pytest.mark.parametrize("text", ["", "hello", "\x00", "otc.example wants you to sign in"])
def test_no_message_at_all(world: World, http: httpx.Client, text: str) -> None:
    refused(world, sign_in(http, text), 422, "malformed_message")


def test_a_message_without_end(world: World, http: httpx.Client) -> None:
    refused(world, sign_in(http, "a" * (MAX_MESSAGE_CHARS + 1)), 422, "malformed")


def test_a_nonce_is_used_once(http: httpx.Client) -> None:
    text = message(http)
    assert sign_in(http, text).status_code == 200
    again = sign_in(http, text)
    assert (again.status_code, again.json()["code"]) == (401, "unknown_nonce")


def test_a_failed_sign_in_leaves_the_nonce_to_its_owner(http: httpx.Client) -> None:
    text = message(http)
    assert sign_in(http, text, by=STRANGER).status_code == 401
    assert sign_in(http, text).status_code == 200


def test_a_nonce_expires(world: World, http: httpx.Client) -> None:
    text = message(http)
    world.chain.mine(at=world.now + NONCE_SECONDS)
    refused(world, sign_in(http, text), 401, "unknown_nonce")


def test_a_session_ends(world: World, http: httpx.Client) -> None:
    token = sign_in(http, message(http)).json()["token"]
    world.chain.mine(at=world.now + SIGN_IN_SECONDS - 1)
    assert me(http, token).status_code == 200
    world.chain.mine()
    answer = me(http, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


def test_the_token_itself_is_not_kept(world: World, http: httpx.Client) -> None:
    token = sign_in(http, message(http)).json()["token"]
    [kept] = world.all(SignIn)
    assert token not in (kept.token_hash, kept.address)


@pytest.mark.parametrize("token", ["x", "ä", "x" * 5000])
def test_an_unknown_token(http: httpx.Client, token: str) -> None:
    headers = [(b"Authorization", f"Bearer {token}".encode("latin-1"))]
    answer = http.get("/auth/me", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
