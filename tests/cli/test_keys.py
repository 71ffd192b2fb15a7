"""`otc keys`, by prompt, file and variable."""

import json
import os
import pty
import select
import subprocess
from pathlib import Path

from eth_account import Account

from tests.cli.command import OTC, Otc, refused
from tests.cli.node import RICH_KEY

PATIENCE_SECONDS = 30


def test_create_without_a_password(otc: Otc, tmp_path: Path) -> None:
    refused(otc("keys", "create", tmp_path / "key.json"), "no password", "OTC_KEYSTORE_PASSWORD")
    assert not (tmp_path / "key.json").exists()


def test_create_over_a_file(otc: Otc, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text("precious")
    refused(otc("keys", "create", path, OTC_KEYSTORE_PASSWORD="p"), "never overwritten")
    assert path.read_text() == "precious"


def test_address_without_an_account(otc: Otc) -> None:
    refused(otc("keys", "address"), "no account", "OTC_KEYSTORE", "OTC_PRIVATE_KEY")


def test_address_of_a_malformed_key_shows_no_key(otc: Otc) -> None:
    result = otc("keys", "address", OTC_PRIVATE_KEY=RICH_KEY + "0")
    refused(result, "OTC_PRIVATE_KEY is not a private key")
    assert RICH_KEY not in result.output


def test_a_key_is_no_argument(otc: Otc) -> None:
    assert otc("keys", "address", "--private-key", RICH_KEY).exit_code == 2
    assert otc("keys", "address", RICH_KEY).exit_code == 2


def test_address_of_a_key_in_a_variable(otc: Otc) -> None:
    result = otc("keys", "address", OTC_PRIVATE_KEY=RICH_KEY)
    assert (result.exit_code, result.stdout) == (0, f"{Account.from_key(RICH_KEY).address}\n")


def test_create_and_use(otc: Otc, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    created = otc("keys", "create", path, "--json", OTC_KEYSTORE_PASSWORD="p")
    assert created.exit_code == 0, created.output
    made = json.loads(created.stdout)
    assert made["keystore"] == str(path)
    assert path.stat().st_mode & 0o077 == 0

    wrong = otc("keys", "address", "--keystore", path, OTC_KEYSTORE_PASSWORD="q")
    refused(wrong, f"wrong password for {path}")
    shown = otc("keys", "address", "--json", OTC_KEYSTORE=str(path), OTC_KEYSTORE_PASSWORD="p")
    assert json.loads(shown.stdout) == {"address": made["address"]}


def test_prompts_on_a_terminal_hide_the_password(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    created = on_terminal(["keys", "create", str(path)], "secret\nsecret\n")
    assert "Created" in created
    shown = on_terminal(["keys", "address", "--keystore", str(path)], "secret\n")
    assert json.loads(path.read_text())["address"] in shown
    assert "secret" not in created + shown


def on_terminal(arguments: list[str], typed: str) -> str:
    """What the real command shows on a terminal where somebody types."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(  # noqa: S603
            [OTC, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        ) as process:
            os.close(theirs)
            shown = b""
            for line in typed.splitlines(keepends=True):
                shown += until_prompt(ours)
                os.write(ours, line.encode())
            while chunk := read(ours):
                shown += chunk
            assert process.wait(timeout=PATIENCE_SECONDS) == 0, shown
    finally:
        os.close(ours)
    return shown.decode()


def until_prompt(handle: int) -> bytes:
    shown = b""
    while not shown.endswith(b": "):
        chunk = read(handle)
        assert chunk, shown
        shown += chunk
    return shown


def read(handle: int) -> bytes:
    """What came, or nothing if the other side is closed or silent for too long."""
    try:
        ready, _, _ = select.select([handle], [], [], PATIENCE_SECONDS)
        return os.read(handle, 4096) if ready else b""
    except OSError:
        return b""
