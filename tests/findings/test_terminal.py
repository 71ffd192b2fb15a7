"""A coordinator's words on a trader's terminal: text, and nothing that steers it."""

import time

import pytest
from otc_sdk.api import Api
from otc_sdk.errors import ApiError
from otc_sdk.roles import Role
from typer.testing import CliRunner

from coordinator.cli import app
from coordinator.cli.console import note, show
from coordinator.cli.next_step import next_step
from coordinator.cli.session import propose
from tests.cli.command import refused
from tests.findings.told import Told, order

STEER = "\x1b[2J\x1b]0;owned\x07"


def test_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    """Found: a status that nobody knows was printed with its escapes."""
    told = order() | {"status": STEER, "settlements": []}
    told["escrow"] |= {"refund_requested_at": 0, "disputed_at": 0}
    with Told() as client:
        step = next_step(client.read(told), Role.SELLER, int(time.time()))
    assert step.isprintable()
    assert "unknown status" in step


def test_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: so were the API's errors."""

    def fail(*_: object, **__: object) -> None:
        raise ApiError(409, "conflict", f"no {STEER} such\nad")

    monkeypatch.setattr(Api, "request", fail)
    result = CliRunner().invoke(app, ["ad", "list", "--side", "sell", "--fiat", "EUR"])
    refused(result, "no", "such ad")
    assert "\x1b" not in result.output
    assert "\x07" not in result.output


def test_rows_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    show("Title", {"name": STEER}, as_json=False)
    propose("Title", {"name": STEER})
    note(STEER)
    shown = capsys.readouterr()
    assert "owned" in shown.out
    assert "\x1b" not in shown.out + shown.err
