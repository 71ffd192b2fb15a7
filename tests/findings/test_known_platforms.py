"""A coordinator that was taken over says of itself what its orders' terms say."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from otc_sdk import known_platforms
from otc_sdk.api import Api
from otc_sdk.client import Client
from otc_sdk.errors import TermsError
from otc_sdk.known_platforms import known, path_of, remember
from typer.testing import CliRunner, Result

from coordinator.cli import app
from coordinator.cli.session import meet
from tests.cli.command import refused
from tests.findings.told import HONEST, KNOWN, URL, Told, order
from tests.world import STRANGER

LIES = {
    **dict.fromkeys(
        ("token", "coordinator", "arbitrator", "fee_recipient", "escrow"), STRANGER.address
    ),
    "token_decimals": 8,
    "token_symbol": "USDC",
    "fee_bps": 500,
    "default_buyer_bps": 10_000,
    "chain_id": 1,
    "refund_window_seconds": 600,
    "ruling_window_seconds": 3600,
    "final_window_seconds": 3600,
}
Otc = Callable[..., Result]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the coordinator says of itself; the test changes it."""
    platform = dict(HONEST)
    monkeypatch.setattr(
        Api, "request", lambda _self, _method, path, **_: platform if path == "/platform" else {}
    )
    return platform


def otc(*words: object) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--api", URL], env={"COLUMNS": "200"})


def test_all_that_is_known_is_compared() -> None:
    assert set(LIES) == set(asdict(KNOWN))


@pytest.mark.parametrize("name", LIES)
def test_what_the_liar_advertises(name: str) -> None:
    """Found: the terms were compared with the word of the server that had written them."""
    with pytest.raises(TermsError, match=f"{name} was .*otc platform accept"):
        Told(**{name: LIES[name]})


@pytest.mark.parametrize("lie", ["", None, -1, True, "0x12", "\x1b[2J", 1.5])
def test_a_platform_that_is_none(lie: Any) -> None:
    names = [n for n in HONEST if not (n == "token_symbol" and lie in ("", "0x12"))]
    for name in names:
        with pytest.raises(TermsError, match=f"not a platform: {name}"):
            Told(**{name: lie})


def test_nothing_is_signed_for_a_platform_that_nobody_knows() -> None:
    """Found: the first answer was believed, at every start of a merchant's program anew."""
    with Told(pinned=()) as client, pytest.raises(TermsError, match="no platform is known"):
        client.sign_terms(order())


def test_no_final_window() -> None:
    """Found: where all went to the buyer by default, the final judge had no time at all."""
    windows = {"final_window_seconds": 0, "default_buyer_bps": 10_000}
    with (
        Told(pinned=[replace(KNOWN, **windows)], **windows) as client,
        pytest.raises(TermsError, match="final window"),
    ):
        client.sign_terms(order(**windows))


def test_new_terms_follow_the_platform_as_it_is_and_old_ones_as_it_was() -> None:
    now = {"arbitrator": STRANGER.address, "ruling_window_seconds": 7200}
    changed = replace(KNOWN, **now)  # type: ignore[arg-type]
    with Told(pinned=[changed, KNOWN], **now) as client:
        client.sign_terms(order(**now))
        client.release(order())
        with pytest.raises(TermsError, match="arbitrator"):
            client.sign_terms(order())
        with pytest.raises(TermsError, match="ruling_window_seconds"):
            client.sign_terms(order(arbitrator=STRANGER.address))
        client.release(order(arbitrator=STRANGER.address))


def test_first_use_is_shown_and_remembered(
    said: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    meet(URL)
    shown = capsys.readouterr()
    assert "First use of" in shown.err
    assert not shown.out
    for value in HONEST.values():
        assert str(value) in shown.err
    assert known(URL) == known(URL.upper() + "/") == [KNOWN]
    assert path_of(URL).stat().st_mode & 0o077 == 0
    meet(URL)
    assert not capsys.readouterr().err
    said["arbitrator"] = STRANGER.address
    with pytest.raises(TermsError, match="is not the platform you know: arbitrator was"):
        Client(URL, Account.create())
    assert known(URL) == [KNOWN]


def test_first_use_of_a_foreign_escrow(said: dict[str, Any]) -> None:
    said["escrow"] = STRANGER.address
    with pytest.raises(TermsError, match="not the trusted escrow"):
        meet(URL)
    refused(otc("platform", "accept", "--yes"), "not the trusted escrow")
    assert not known(URL)


def test_a_change_is_accepted_deliberately(said: dict[str, Any]) -> None:
    refused(otc("platform", "show"), "nothing is known of")
    meet(URL)
    said["fee_bps"] = 60
    unasked = otc("platform", "accept")
    assert unasked.exit_code == 1
    assert "fee_bps was 50, is 60" in unasked.stderr
    assert known(URL) == [KNOWN]
    assert otc("platform", "accept", "--yes").exit_code == 0
    assert known(URL) == [replace(KNOWN, fee_bps=60), KNOWN]
    assert json.loads(otc("platform", "show", "--json").stdout)["fee_bps"] == 60


def test_a_platform_from_a_file(
    said: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "platform.json"
    file.write_text(json.dumps(HONEST))
    assert otc("platform", "pin", file).exit_code == 0
    assert known(URL) == [KNOWN]
    refused(otc("platform", "pin", tmp_path / "none"), "cannot read")
    monkeypatch.setenv("OTC_PLATFORM", str(file))
    assert known("https://anywhere.example") == [KNOWN]
    refused(otc("platform", "pin", file), "OTC_PLATFORM says which platform is trusted")
    said["token"] = STRANGER.address
    with pytest.raises(TermsError, match="token was"):
        Client(URL, Account.create())
    monkeypatch.setenv("OTC_PLATFORM", str(tmp_path / "none"))
    with pytest.raises(TermsError, match="OTC_PLATFORM names no file"):
        known(URL)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[1]"])
def test_a_damaged_file_is_no_first_use(said: dict[str, Any], content: bytes) -> None:
    path = remember(URL, KNOWN)
    path.write_bytes(content)
    with pytest.raises(TermsError, match="cannot read the known platform"):
        meet(URL)


def test_the_password_of_a_url_is_not_written_down() -> None:
    assert path_of("https://me:secret@exchange.example/a/") == path_of(URL + "/a")
    assert known_platforms.path_of(URL) != path_of(URL + "/a")
