"""GET /metrics: what Prometheus reads of the whole coordinator."""

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from coordinator.api import metrics
from coordinator.api.app import create_app
from coordinator.api.context import Context
from coordinator.db.session import transaction
from coordinator.domain.nodes import NodeReport, NodeState
from coordinator.services import halting, node_health, sender_keys
from tests.serving import served
from tests.world import AMOUNT, SELLER, World

CHAIN = {"chain_id": "31337"}
DOCS = Path(__file__).parents[2] / "docs" / "operations" / "monitoring.md"
Read = Callable[..., float]


@pytest.fixture
def read(http: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Read:
    """One sample by name and labels, never from the cache."""
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 0.0)

    def sample(name: str, **labels: str) -> float:
        text = http.get("/metrics").text
        found = [
            one.value
            for family in text_string_to_metric_families(text)
            for one in family.samples
            if one.name == name and one.labels == {**CHAIN, **labels}
        ]
        assert len(found) == 1, (name, labels, text)
        return found[0]

    return sample


def test_how_far_the_chain_was_read(world: World, read: Read) -> None:
    world.mine()
    world.mine(final=False)
    assert read("otc_chain_block", kind="read") == 2
    assert read("otc_chain_block", kind="final") == 1
    world.chain.mine(at=world.now + 50)
    assert read("otc_chain_lag_seconds") == 50


def test_a_halt(world: World, read: Read) -> None:
    assert read("otc_chain_halted") == 0
    with transaction(world.engine) as session:
        halting.halt(session, 31337, "it differs")
    assert read("otc_chain_halted") == 1


def test_nodes_and_keys(world: World, read: Read) -> None:
    node = NodeReport("https://one", "reader", 7, 5, 250, 0, NodeState.DISAGREES)
    with transaction(world.engine) as session:
        node_health.report(session, 31337, [node], 1)
        sender_keys.report(session, 31337, SELLER.address, 10**18, "low", 1)
    assert read("otc_node_healthy", node="https://one") == 0
    assert read("otc_node_disagrees", node="https://one") == 1
    assert read("otc_node_latency_seconds", node="https://one") == 0.25
    assert read("otc_sender_balance_wei", address=SELLER.address) == 1e18
    assert read("otc_sender_low", address=SELLER.address) == 1


def test_orders_and_settlements(world: World, read: Read) -> None:
    order_id = world.paid()
    world.sign_settlement(order_id, SELLER, AMOUNT)
    assert read("otc_orders", status="paid") == 1
    assert read("otc_orders", status="pending") == 0
    assert read("otc_settlements", status="cosigning") == 1
    assert read("otc_settlements_waiting", **{"for": "co-signer"}) == 1
    assert read("otc_intents", status="pending") == 0
    assert read("otc_intents_stuck") == 0


def test_many_scrapes_read_the_database_once(
    world: World, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 60.0)
    statements = []
    event.listen(world.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    http.get("/metrics")
    first = len(statements)
    for _ in range(5):
        assert http.get("/metrics").status_code == 200
    assert len(statements) == first > 0


def test_every_metric_is_explained(world: World, http: httpx.Client) -> None:
    told = DOCS.read_text()
    families = text_string_to_metric_families(http.get("/metrics").text)
    ours = [family.name for family in families if family.name.startswith("otc_")]
    assert len(ours) > 15
    assert [name for name in ours if f"`{name}" not in told] == []


def test_for_whoever_knows_the_token(world: World) -> None:
    context = Context(
        world.engine, world.platform, world.chain.verify_1271, lambda: world.now, "here",
        metrics_token="a-token",
    )  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listener, served(create_app(context), listener):
        http = httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        for headers in ({}, {"Authorization": "Bearer b-token"}):
            answer = http.get("/metrics", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "wrong_token")
        assert http.get("/metrics", headers={"Authorization": "Bearer a-token"}).text
        http.close()
