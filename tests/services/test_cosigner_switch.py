"""Stopping the co-signer: at once, altogether, from either of two places."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.messages import SignableMessage
from sqlalchemy import Engine
from sqlmodel import Session

from coordinator.adapters.stop_file import StopFile
from coordinator.domain.errors import Conflict, Invalid, Later
from coordinator.services.cosigner_switch import MAX_WHY_CHARS, newest, stopped, turn
from tests.cosigning import Desk, MemoryKey

PATIENCE_SECONDS = 20


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    """With a file that may stop it."""
    desk = Desk.open(engine)
    stop_file = StopFile(tmp_path / "stop")
    desk.policy = replace(desk.policy, local_stop=stop_file.why)
    return desk


def press(desk: Desk, stop: bool, why: str = "a drill") -> None:
    turn(desk.engine, stop, why, "ann@ops", desk.chain.now)


def why(desk: Desk) -> str | None:
    with Session(desk.engine) as session:
        return stopped(session, desk.policy.local_stop)


@pytest.mark.parametrize("units", [None, 0], ids=["release", "refund"])
def test_while_stopped_nothing_is_signed_and_nothing_lost(desk: Desk, units: int | None) -> None:
    terms = desk.terms()
    desk.fund(terms)
    request = desk.request(terms) if units is None else desk.request(terms, units)
    press(desk, True, "releases nobody asked for")
    with pytest.raises(Later, match=r"stopped: releases nobody asked for \(ann@ops\)") as refused:
        desk.cosign(request)
    assert refused.value.code == "cosign_stopped"
    assert desk.rows() == []
    press(desk, False)
    assert desk.cosign(request)
    assert why(desk) is None


def test_while_stopped_even_what_was_signed_is_kept_back(desk: Desk) -> None:
    terms = desk.terms()
    desk.fund(terms)
    request = desk.request(terms)
    desk.cosign(request)
    press(desk, True)
    with pytest.raises(Later):
        desk.cosign(request)


def test_the_file_stops_whatever_the_database_says(desk: Desk, tmp_path: Path) -> None:
    terms = desk.terms()
    desk.fund(terms)
    press(desk, True)
    press(desk, False)
    (tmp_path / "stop").write_text("database lost\nmore\n")
    with pytest.raises(Later, match=r"on this machine: database lost$"):
        desk.cosign(desk.request(terms))
    (tmp_path / "stop").unlink()
    assert desk.cosign(desk.request(terms))


def test_a_file_that_says_nothing_or_cannot_be_read_stops_too(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "stop").touch()
    assert "is there" in str(why(desk))
    (tmp_path / "stop").unlink()
    (tmp_path / "stop").mkdir()
    assert "cannot be read" in str(why(desk))


@pytest.mark.parametrize("reason", ["", "  ", "x" * (MAX_WHY_CHARS + 1), "a\x00b"])
def test_a_reason_is_needed(desk: Desk, reason: str) -> None:
    with pytest.raises(Invalid):
        press(desk, True, reason)
    assert why(desk) is None


@pytest.mark.parametrize("stop", [True, False])
def test_what_changes_nothing_is_said(desk: Desk, stop: bool) -> None:
    if stop:
        press(desk, True)
    with pytest.raises(Conflict, match="already"):
        press(desk, stop)


class SlowKey(MemoryKey):
    """Begins to sign, and waits."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def sign(self, message: SignableMessage) -> bytes:
        self.began.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        return super().sign(message)


def test_after_a_stop_no_signature_is_under_way(desk: Desk) -> None:
    terms = desk.terms()
    desk.fund(terms)
    desk.key = key = SlowKey()
    signing = threading.Thread(target=desk.cosign, args=(desk.request(terms),))
    stopping = threading.Thread(target=press, args=(desk, True))
    signing.start()
    assert key.began.wait(PATIENCE_SECONDS)
    stopping.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while why(desk) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert stopping.is_alive()
    key.go_on.set()
    signing.join()
    stopping.join()
    assert [row.signature is not None for row in desk.rows()] == [True]
    with Session(desk.engine) as session:
        last = newest(session)
    assert last is not None
    assert last.stopped
