"""What the keeper makes of the co-signer's answers: only a refusal is one."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from otc_sdk import messages
from otc_sdk.terms import Terms
from sqlalchemy import Engine, create_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from coordinator.adapters.cosigner import HttpCosigner
from coordinator.api.cosigner import create_app
from coordinator.api.request_rate import RequestRate
from coordinator.db.session import transaction
from coordinator.db.settlements import Settlement
from coordinator.services import cosigner_switch
from coordinator.services.ports import CosignRequest, NodeDown
from tests.cosigning import Desk
from tests.findings.world import DirectCosigner, keeper_of
from tests.serving import served
from tests.world import AMOUNT, COORDINATOR, SELLER, STRANGER, World

TOKEN = "t" * 32


@pytest.fixture
def impatient(engine: Engine) -> Iterator[Engine]:
    """The same database, whose locks are not waited for for long."""
    made = create_engine(engine.url, connect_args={"options": "-c lock_timeout=100ms"})
    yield made
    made.dispose()


def asked(app: Any, request: CosignRequest) -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener, served(app, listener):
        cosigner = HttpCosigner(f"http://127.0.0.1:{listener.getsockname()[1]}", TOKEN)
        with cosigner.client:
            return cosigner.cosign(request)


def test_a_busy_book_is_no_refusal(engine: Engine, impatient: Engine) -> None:
    """Found: behind one slow signature of a remote key, others were refused for good."""
    desk = Desk.open(impatient)
    terms = desk.terms()
    desk.fund(terms)
    app = create_app(desk.cosign, lambda: None, COORDINATOR.address, TOKEN, RequestRate(100))
    with transaction(engine) as session:
        cosigner_switch.lock(session)
        with pytest.raises(NodeDown, match="409"):
            asked(app, desk.request(terms))


@pytest.mark.parametrize("status", [200, 403, 422])
@pytest.mark.parametrize("body", [
    "<html>Forbidden</html>", "[]", '{"message": "Forbidden"}', '{"signature": "0xno"}',
])  # fmt: skip
def test_what_a_proxy_says_ends_no_keeper(engine: Engine, status: int, body: str) -> None:
    """Found: a page of HTML in place of an answer, and the keeper was gone for everybody."""

    def answer(_: Request) -> Response:
        return Response(body, status, media_type="application/json")

    desk = Desk.open(engine)
    app = Starlette(routes=[Route("/cosign", answer, methods=["POST"])])
    with pytest.raises(NodeDown, match=str(status)):
        asked(app, desk.request(desk.terms()))


def test_another_keys_signature_is_not_sent(world: World) -> None:
    """Found: it was taken into the settlement, which the chain then refused until it expired."""
    order_id = world.paid()
    settlement = world.sign_settlement(order_id, SELLER, AMOUNT)
    keeper_of(world, WrongKey(world)).step()
    assert (world.get(Settlement, settlement.id).status, world.intents()) == ("cosigning", [])
    keeper_of(world).step()
    assert world.get(Settlement, settlement.id).status == "ready"


class WrongKey(DirectCosigner):
    """A co-signer that holds another key than the terms name."""

    def cosign(self, request: CosignRequest) -> str:
        terms = Terms.from_dict(request.terms)
        domain = self.world.platform.domain
        message = messages.settlement(
            domain, terms.order_id(domain), request.to_buyer_units, request.valid_until
        )
        return "0x" + messages.sign(STRANGER, message).hex()
