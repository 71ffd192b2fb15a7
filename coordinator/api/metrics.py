"""The whole coordinator's metrics from its books, and this process' own, for Prometheus."""

import hmac
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector
from sqlalchemy import Engine

from coordinator.api.context import Here
from coordinator.db.session import transaction
from coordinator.domain.errors import Unauthorized
from coordinator.domain.health import lag_seconds
from coordinator.domain.nodes import NodeState
from coordinator.services import sender_keys, status

router = APIRouter(tags=["health"])
CACHE_SECONDS = 1.0


class Books:
    """Text of the books' metrics; several scrapes within CACHE_SECONDS read the database once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.text, self.read_at = b"", float("-inf")

    def read(self, engine: Engine, chain_id: int, now: int) -> bytes:
        with self.lock:
            if time.monotonic() - self.read_at >= CACHE_SECONDS:
                with transaction(engine) as session:
                    found = status.read(session, chain_id, now)
                    keys = [
                        (key.address, key.balance_wei, key.condition)
                        for key in sender_keys.read(session, chain_id)
                    ]
                registry = CollectorRegistry(auto_describe=False)
                registry.register(Families(list(families(found, keys, now))))
                self.text, self.read_at = generate_latest(registry), time.monotonic()
            return self.text


class Families(Collector):
    def __init__(self, found: list[Metric]) -> None:
        self.found = found

    def collect(self) -> Iterable[Metric]:
        return self.found


def families(
    found: status.Status, keys: list[tuple[str, int, str]], now: int
) -> Iterable[GaugeMetricFamily]:
    """One gauge a figure. `keys` are (address, balance in wei, condition)."""
    chain, cursor = str(found.chain_id), found.cursor
    halted = cursor is not None and cursor.halted is not None
    yield gauge("otc_chain_halted", "1 while the chain is halted.", chain, {(): float(halted)})
    if cursor is not None:
        lag = lag_seconds(cursor.time, now)
        blocks = {("read",): cursor.number, ("final",): cursor.final_number}
        yield gauge("otc_chain_block", "Newest block read, newest final.", chain, blocks, "kind")
        yield gauge("otc_chain_lag_seconds", "Age of the newest block read.", chain, {(): lag})
    yield from node_families(found, chain)
    by = (
        ("otc_orders", "Orders.", found.orders, "status"),
        ("otc_intents", "Transactions under way.", found.intents, "status"),
        ("otc_settlements", "Settlements that are not on chain yet.", found.settlements, "status"),
        ("otc_settlements_waiting", "The same, by whose turn it is.", found.waiting, "for"),
    )
    for name, words, counts, label in by:
        yield gauge(name, words, chain, {(k,): v for k, v in counts.items()}, label)
    totals = (
        ("otc_intents_stuck", "Unsent for longer than ten minutes.", found.stuck_count),
        ("otc_intents_oldest_seconds", "Age of the oldest unsent.", found.oldest_intent_seconds),
        ("otc_vaults_differing", "Orders whose vault differs from the books, up to 20.",
         len(found.differing)),
    )  # fmt: skip
    for name, words, value in totals:
        yield gauge(name, words, chain, {(): value})
    balances = {(address,): float(wei) for address, wei, _ in keys}
    yield gauge("otc_sender_balance_wei", "Coins of a gas-paying key.", chain, balances, "address")
    short = {(address,): float(state in ("low", "empty")) for address, _, state in keys}
    yield gauge("otc_sender_low", "1 if a gas-paying key needs coins.", chain, short, "address")


def node_families(found: status.Status, chain: str) -> Iterable[GaugeMetricFamily]:
    nodes = found.nodes
    healthy = {(n.name,): float(n.state == NodeState.HEALTHY) for n in nodes}
    yield gauge("otc_node_healthy", "1 if the node can be relied on.", chain, healthy, "node")
    disagree = {(n.name,): float(n.state == NodeState.DISAGREES) for n in nodes}
    yield gauge("otc_node_disagrees", "1 if it contradicts others.", chain, disagree, "node")
    heads = {(n.name,): n.head_number for n in nodes}
    yield gauge("otc_node_head_block", "The node's newest block.", chain, heads, "node")
    latency = {(n.name,): n.latency_ms / 1000 for n in nodes}
    yield gauge("otc_node_latency_seconds", "Average answer of the node.", chain, latency, "node")


def gauge(
    name: str, words: str, chain: str, values: Mapping[Any, float], *labels: str
) -> GaugeMetricFamily:
    """`values` by the labels beside the chain."""
    family = GaugeMetricFamily(name, words, labels=["chain_id", *labels])
    for key, value in values.items():
        family.add_metric([chain, *key], value)
    return family


@router.get("/metrics", include_in_schema=False)
def read_metrics(
    request: Request, here: Here, authorization: Annotated[str, Header()] = ""
) -> Response:
    """Prometheus' text format. With OTC_METRICS_TOKEN set, for its bearer alone."""
    wanted = f"Bearer {here.metrics_token}"
    if here.metrics_token and not hmac.compare_digest(authorization.encode(), wanted.encode()):
        raise Unauthorized("wrong_token", "these metrics are for whoever knows OTC_METRICS_TOKEN")
    books: Books = request.app.state.books
    text = books.read(here.engine, here.platform.domain.chain_id, here.now())
    return Response(text + generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
