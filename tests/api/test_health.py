"""Liveness and readiness, as a load balancer asks for them."""

import httpx
import pytest
from sqlalchemy import text

from coordinator.db.session import transaction
from coordinator.domain.health import MAX_LAG_SECONDS
from coordinator.services import halting
from tests.database import DatabaseServer
from tests.world import World


def not_ready(http: httpx.Client, *words: str) -> None:
    """503 with the reason; the process itself lives on."""
    answer = http.get("/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    for word in words:
        assert word in answer.json()["message"]
    assert http.get("/health").status_code == 200


def test_not_ready_before_the_watcher_has_begun(world: World, http: httpx.Client) -> None:
    with transaction(world.engine) as session:
        session.connection().execute(text("delete from chain_cursors"))
    not_ready(http, "has not read chain 31337 yet")


def test_not_ready_while_the_chain_is_halted(world: World, http: httpx.Client) -> None:
    with transaction(world.engine) as session:
        halting.halt(session, 31337, "it differs")
    not_ready(http, "chain 31337 is halted", "it differs")


def test_not_ready_while_the_watcher_is_behind(world: World, http: httpx.Client) -> None:
    world.chain.mine(at=world.now + MAX_LAG_SECONDS)
    assert http.get("/ready").json()["lag_seconds"] == MAX_LAG_SECONDS
    world.chain.mine()
    not_ready(http, f"{MAX_LAG_SECONDS + 1} s old")
    world.read()
    assert http.get("/ready").json() == {"ready": True, "block": 2, "lag_seconds": 0}


@pytest.mark.parametrize("change", ["update alembic_version set version_num = 'other'",
                                    "drop table alembic_version"])  # fmt: skip
def test_not_ready_on_another_schema(world: World, http: httpx.Client, change: str) -> None:
    with transaction(world.engine) as session:
        session.connection().execute(text(change))
    not_ready(http, "schema is", "this release works with")


def test_neither_without_a_database(
    world: World, http: httpx.Client, database_server: DatabaseServer
) -> None:
    name = world.engine.url.database or ""
    database_server.refuse(name)
    answers = [http.get(path) for path in ("/health", "/ready")]
    database_server.admit(name)
    assert [a.status_code for a in answers] == [503, 503]
    assert "the database" in answers[0].json()["message"]
    assert http.get("/health").json()["database"] == "up"
