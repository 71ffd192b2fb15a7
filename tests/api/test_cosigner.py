"""The co-signer's own API: who may ask, how much, and what is answered."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from coordinator.adapters.cosigner import HttpCosigner
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
    answer = cosigner.client.post("/cosign", content=json.dumps({**vars(request_), **change}))
    assert answer.status_code == 422


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
