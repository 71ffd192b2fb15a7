"""`otc replay`: 0 the books are what the chain adds up to, 1 they are not."""

import json

import pytest
from sqlalchemy import text

from coordinator.db.session import transaction
from coordinator.workers import replay
from tests.cli.command import Otc, refused
from tests.cli.operator import SECRET, Settings
from tests.findings.world import LiveWorld


def test_the_books_and_a_change_of_them(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    start = live.cursor().number
    live.funded()
    same = otc("replay", "--from", start, "--json", **settings)
    assert same.exit_code == 0, same.output
    found = json.loads(same.stdout)
    assert (found["differences"], found["first"], found["logs"]) == ([], start, 1)
    with transaction(live.engine) as session:
        session.connection().execute(text("update ledger_entries set units = 0"))
    changed = otc("replay", "--from", start, **settings)
    assert changed.exit_code == 1
    assert "ledger" in changed.stdout
    assert "2 differences" in changed.stdout


def test_what_is_taken_from_the_books_is_said(
    otc: Otc, live: LiveWorld, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.funded()
    cursor = live.cursor()
    whole = otc("replay", "--from", cursor.final_number, **settings)
    assert f"to {cursor.number} (final to {cursor.final_number})" in whole.stdout
    assert "taken from the books" not in whole.stdout
    monkeypatch.setattr(replay, "MAX_SEEN_BLOCKS", 1)
    part = otc("replay", "--from", cursor.final_number, **settings)
    assert f"{cursor.final_number + 1} to {cursor.number} are taken from the books" in part.stdout
    assert (whole.exit_code, part.exit_code) == (0, 0)


def test_what_cannot_be_replayed(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    live.mine()
    refused(otc("replay", "--from", 10**9, "--json", **settings), "the newest final one")
    down = {**settings, "OTC_RPC_URL": f"http://127.0.0.1:1/{SECRET}"}
    result = otc("replay", "--from", 1, "--json", **down)
    refused(result, "node")
    assert SECRET not in result.output
