"""The co-signer's own API: who may ask, how much, and what is answered."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Engine
from sqlmodel import Session
from structlog.testing import capture_logs
from structlog.typing import EventDict

from coordinator.adapters.cosigner import HttpCosigner
from coordinator.api import refusal_log
from coordinator.api.body_limit import MAX_BODY_BYTES
from coordinator.api.cosigner import create_app
from coordinator.api.request_rate import RequestRate
from coordinator.services.cosigner_switch import stopped, turn
from coordinator.services.ports import CosignRefused, CosignRequest, NodeDown
from tests.cosigning import BrokenKey, Desk
from tests.serving import served
from tests.world import BUYER, COORDINATOR

TOKEN = "t" * 32
MOST = 5


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk.open(engine)


@pytest.fixture
def url(desk: Desk) -> Iterator[str]:
    def why() -> str | None:
        with Session(desk.engine) as session:
            return stopped(session, desk.policy.local_stop)

    rate = RequestRate(MOST)
    app = create_app(lambda r: desk.cosign(r), why, COORDINATOR.address, TOKEN, rate)
    with socket.create_server(("127.0.0.1", 0)) as listener, served(app, listener):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def cosigner(url: str) -> Iterator[HttpCosigner]:
    made = HttpCosigner(url, TOKEN)
    yield made
    made.client.close()


@pytest.fixture
def request_(desk: Desk) -> CosignRequest:
    terms = desk.terms()
    desk.fund(terms)
    return desk.request(terms)


def test_it_signs_for_who_has_the_token(
    desk: Desk, cosigner: HttpCosigner, request_: CosignRequest
) -> None:
    assert cosigner.cosign(request_) == desk.cosign(request_)


@pytest.mark.parametrize("header", ["", "Bearer", f"Bearer {TOKEN}x", TOKEN])
def test_it_signs_for_nobody_else(
    url: str, desk: Desk, request_: CosignRequest, header: str
) -> None:
    answer = httpx.post(
        f"{url}/cosign", json=vars(request_), headers={"Authorization": header}, trust_env=False
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_token")
    assert desk.rows() == []


def test_a_refusal_says_why(desk: Desk, cosigner: HttpCosigner, request_: CosignRequest) -> None:
    request = desk.request(desk.terms(), signer=BUYER)
    with pytest.raises(CosignRefused, match="no consent of the seller"):
        cosigner.cosign(request)


def test_a_body_over_the_limit(cosigner: HttpCosigner) -> None:
    answer = cosigner.client.post("/cosign", content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "change",
    [
        {"valid_until": 2**53 + 1},
        {"signature": "0x" + "00" * 8193},
        {"terms": []},
        {"terms": {"amount_units": "9" * 5000}},
    ],
    ids=["a time beyond all", "a long signature", "terms that are a list", "a long number"],
)
def test_malformed_requests(
    cosigner: HttpCosigner, request_: CosignRequest, change: dict[str, object]
) -> None:
    answer = cosigner.client.post("/cosign", json={**vars(request_), **change})
    assert answer.status_code == 422
    place = answer.json()["message"].partition(":")[0]
    assert set(change) == {place} or answer.json()["code"] == "malformed_terms"


def test_more_requests_than_agreed_wait(cosigner: HttpCosigner, request_: CosignRequest) -> None:
    def ask() -> None:
        for _ in range(2 * MOST + 1):  # a minute may end in between
            cosigner.cosign(request_)

    with pytest.raises(NodeDown, match="429"):
        ask()


def test_strangers_use_up_no_rate(
    url: str, cosigner: HttpCosigner, request_: CosignRequest
) -> None:
    for _ in range(MOST + 1):
        httpx.post(f"{url}/cosign", json=vars(request_), trust_env=False)
    assert cosigner.cosign(request_)


# What is turned away before an order is looked at


def post(url: str, body: bytes, token: str = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return httpx.post(f"{url}/cosign", content=body, headers=headers, trust_env=False)


def counted(code: str) -> float:
    return REGISTRY.get_sample_value("otc_cosign_refusals_total", {"code": code}) or 0


def told(lines: list[EventDict]) -> list[tuple[str, str, int]]:
    mine = [line for line in lines if line["event"] == "cosign turned away"]
    return [(line["code"], line["reason"], line["count"]) for line in mine]


@pytest.mark.parametrize(
    ("body", "token", "code", "reason"),
    [
        ("whole", f"{TOKEN}-guess", "wrong_token", "the co-signer does not know this caller"),
        ("bad signature", TOKEN, "malformed", "signature: Value error, must be hex text"),
        ("no JSON", TOKEN, "malformed", "JSON decode error"),
        ("too long", TOKEN, "malformed", f"the body is over {MAX_BODY_BYTES} bytes"),
    ],
    ids=["a wrong token", "a bad signature", "no JSON", "too long"],
)
def test_who_is_turned_away_is_counted_and_logged_without_token_and_body(
    url: str, request_: CosignRequest, body: str, token: str, code: str, reason: str
) -> None:
    """Found: wrong tokens, malformed bodies and too many requests left no trace."""
    bodies = {
        "whole": json.dumps(vars(request_)).encode(),
        "bad signature": json.dumps({**vars(request_), "signature": "0xsecret"}).encode(),
        "no JSON": b"secret",
        "too long": b"secret" * MAX_BODY_BYTES,
    }
    before = counted(code)
    with capture_logs() as lines:
        assert post(url, bodies[body], token).is_client_error
    assert counted(code) == before + 1
    [(said, why, count)] = told(lines)
    assert (said, count) == (code, 1)
    assert reason in why
    assert not any(secret in str(lines) for secret in ("guess", "secret", request_.signature))


def test_too_many_requests_are_counted_and_logged(url: str, request_: CosignRequest) -> None:
    """Found: as above."""
    before = counted("too_many_requests")
    body = json.dumps(vars(request_)).encode()
    with capture_logs() as lines:
        answers = [post(url, body).status_code for _ in range(2 * MOST + 1)]
    over = answers.count(429)
    assert over > 0
    assert counted("too_many_requests") == before + over
    assert told(lines) == [("too_many_requests", f"more than {MOST} requests in a minute", 1)]


def test_strangers_fill_no_disk(
    url: str, request_: CosignRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is counted, a line comes once in LOG_EVERY_SECONDS and says how many there were."""
    before, body = counted("wrong_token"), json.dumps(vars(request_)).encode()
    with capture_logs() as lines:
        for _ in range(5):
            post(url, body, "guess")
        post(url, b"{")
        monkeypatch.setattr(refusal_log, "LOG_EVERY_SECONDS", 0)
        post(url, body, "guess")
    assert counted("wrong_token") == before + 6
    assert [(code, count) for code, _, count in told(lines)] == [
        ("wrong_token", 1), ("malformed", 1), ("wrong_token", 5),
    ]  # fmt: skip


def test_other_paths_are_no_refusals_to_sign(url: str) -> None:
    before = counted("malformed")
    with capture_logs() as lines:
        httpx.get(f"{url}/nothing", trust_env=False)
    assert (counted("malformed"), told(lines)) == (before, [])


def test_health_says_whether_it_is_stopped(
    url: str, desk: Desk, cosigner: HttpCosigner, request_: CosignRequest
) -> None:
    def health() -> dict[str, str | None]:
        found: dict[str, str | None] = httpx.get(f"{url}/health", trust_env=False).json()
        return found

    assert health() == {"address": COORDINATOR.address, "stopped": None}
    turn(desk.engine, True, "a drill", "ann@ops", 1)
    assert health()["stopped"] == "a drill (ann@ops)"
    with pytest.raises(NodeDown, match="429"):  # so the keeper asks again
        cosigner.cosign(request_)
    turn(desk.engine, False, "over", "ann@ops", 2)
    desk.policy = replace(desk.policy, local_stop=lambda: "file")
    assert health()["stopped"] == "on this machine: file"


def test_a_key_that_does_not_answer_is_asked_again(
    desk: Desk, cosigner: HttpCosigner, request_: CosignRequest
) -> None:
    desk.key = BrokenKey()
    with pytest.raises(NodeDown, match="503"):
        cosigner.cosign(request_)
