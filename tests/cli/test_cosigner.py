"""`otc cosigner`: the switch as an operator turns it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from coordinator.domain.errors import Later
from coordinator.stack.ports import free_port
from tests.cli.command import Otc, refused
from tests.cosigning import Desk
from tests.database import DatabaseServer


@pytest.fixture
def url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_without_a_database(otc: Otc) -> None:
    refused(otc("cosigner", "stop", "--why", "x"), "no stack runs")


def test_a_database_that_does_not_answer(otc: Otc) -> None:
    url = f"postgresql://otc:secret@127.0.0.1:{free_port()}/otc"
    result = otc("cosigner", "stop", "--why", "x", DATABASE_URL=url)
    refused(result, "no database answers")
    assert "secret" not in result.output


@pytest.mark.parametrize("name", ["DATABASE_URL", "OTC_COSIGNER_DATABASE_URL"])
def test_what_is_no_database(otc: Otc, name: str) -> None:
    """Found: a port that is none was a traceback, another scheme did not name its setting."""
    for url in ("postgresql://otc:secret@127.0.0.1:x/otc", "postgres://otc:secret@127.0.0.1/otc"):
        result = otc("cosigner", "stop", "--why", "x", **{name: url})
        refused(result, f"{name} must be postgresql://")
        assert "secret" not in result.output


def test_a_database_without_the_tables(otc: Otc, database_server: DatabaseServer) -> None:
    name = database_server.create_empty()
    url = database_server.url(name)
    refused(otc("cosigner", "stop", "--why", "x", DATABASE_URL=url), "cosigner_switches")
    database_server.drop(name)


def test_a_stop_without_a_reason(otc: Otc, url: str) -> None:
    assert otc("cosigner", "stop", DATABASE_URL=url).exit_code == 2
    refused(otc("cosigner", "stop", "--why", " ", DATABASE_URL=url), "a reason")


def test_resume_what_runs(otc: Otc, url: str) -> None:
    refused(otc("cosigner", "resume", "--why", "x", DATABASE_URL=url), "not stopped already")


def test_stop_and_resume(otc: Otc, url: str, engine: Engine) -> None:
    desk = Desk.open(engine)
    terms = desk.terms()
    desk.fund(terms)
    request = desk.request(terms)

    stopped = otc("cosigner", "stop", "--why", "a drill", DATABASE_URL=url)
    assert stopped.exit_code == 0, stopped.output
    with pytest.raises(Later, match="a drill"):
        desk.cosign(request)
    shown = json.loads(otc("cosigner", "status", "--json", DATABASE_URL=url).stdout)
    assert (shown["stopped"], shown["why"]) == (True, "a drill")

    resumed = otc("cosigner", "resume", "--why", "over", DATABASE_URL=url)
    assert resumed.exit_code == 0, resumed.output
    assert desk.cosign(request)


def test_the_cosigners_own_database_comes_first(otc: Otc, url: str, tmp_path: Path) -> None:
    nowhere = f"postgresql://otc@127.0.0.1:{free_port()}/otc"
    settings = {"OTC_COSIGNER_DATABASE_URL": url, "DATABASE_URL": nowhere}
    result = otc("cosigner", "status", **settings)
    assert (result.exit_code, "stopped" in result.stdout) == (0, True)
