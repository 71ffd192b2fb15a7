"""How a chain's nodes are, in the books: the newest report of each, and no secret."""

from dataclasses import replace

from sqlalchemy import Engine

from coordinator.db.node_health import MAX_REASON_CHARS, NodeHealth
from coordinator.db.session import transaction
from coordinator.domain.nodes import NodeReport, NodeState
from coordinator.services import node_health

CHAIN_ID = 31337
GOOD = NodeReport(
    name="https://one.example", role="reader", head_number=105, final_number=100, latency_ms=12,
    errors_in_row=0, state=NodeState.HEALTHY,
)  # fmt: skip
DOWN = replace(
    GOOD, name="https://two.example", errors_in_row=3, state=NodeState.DOWN, reason="no answer"
)


def report(engine: Engine, *nodes: NodeReport, now: int = 1000, chain_id: int = CHAIN_ID) -> None:
    with transaction(engine) as session:
        node_health.report(session, chain_id, nodes, now)


def read(engine: Engine, chain_id: int = CHAIN_ID) -> list[NodeHealth]:
    with transaction(engine) as session:
        return node_health.read(session, chain_id)


def test_nothing_was_reported(engine: Engine) -> None:
    assert read(engine) == []


def test_each_node_is_shown_as_it_was_found(engine: Engine) -> None:
    report(engine, DOWN, GOOD)
    one, two = read(engine)
    assert one == NodeHealth(chain_id=CHAIN_ID, checked_at=1000, **vars(GOOD))
    assert (two.state, two.reason, two.errors_in_row) == ("down", "no answer", 3)


def test_a_newer_report_replaces_the_older(engine: Engine) -> None:
    report(engine, DOWN)
    report(engine, replace(DOWN, state=NodeState.HEALTHY, errors_in_row=0, reason=""), now=1005)
    [found] = read(engine)
    assert (found.state, found.reason, found.checked_at) == ("healthy", "", 1005)


def test_a_node_that_is_not_used_any_more_is_forgotten(engine: Engine) -> None:
    report(engine, GOOD, DOWN)
    report(engine, GOOD)
    assert [node.name for node in read(engine)] == [GOOD.name]
    report(engine)
    assert read(engine) == []


def test_chains_do_not_touch_each_other(engine: Engine) -> None:
    report(engine, GOOD)
    report(engine, DOWN, chain_id=1)
    assert [node.name for node in read(engine)] == [GOOD.name]
    assert [node.name for node in read(engine, 1)] == [DOWN.name]


def test_a_long_reason_is_cut(engine: Engine) -> None:
    report(engine, replace(DOWN, reason="x" * 10_000))
    [found] = read(engine)
    assert found.reason == "x" * MAX_REASON_CHARS
