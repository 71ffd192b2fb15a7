"""Accounts from keystores and variables: every fault named, no key in any message."""

import io
import json
import stat
import traceback
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_typing import HexStr
from otc_sdk import keystore
from otc_sdk.errors import KeystoreError

KEY = "0x" + "5a" * 32
ADDRESS = Account.from_key(KEY).address
PASSWORD = "correct horse"


def encrypted(**changes: Any) -> dict[str, Any]:
    """A keystore that is quick to open, with members changed."""
    return {**Account.encrypt(HexStr(KEY), PASSWORD, kdf="pbkdf2", iterations=1), **changes}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(encrypted()))
    return path


def fault(path: Path | None = None, **environ: str) -> str:
    """What `load_account` says; neither key nor password may be in it, or in what it came from."""
    with pytest.raises(KeystoreError) as caught:
        keystore.load_account(path, environ=environ, ask=lambda _: PASSWORD)
    shown = "".join(traceback.format_exception(caught.value))
    for secret in (KEY[2:], PASSWORD, environ.get("OTC_PRIVATE_KEY") or KEY):
        assert secret not in shown
    return str(caught.value)


def test_no_account() -> None:
    assert "no account" in fault()


def test_empty_variables_count_as_unset() -> None:
    assert "no account" in fault(OTC_PRIVATE_KEY="", OTC_KEYSTORE="")


def test_two_accounts(path: Path) -> None:
    assert "both set" in fault(OTC_KEYSTORE=str(path), OTC_PRIVATE_KEY=KEY)


@pytest.mark.parametrize(
    "value",
    [
        "not-a-key-at-all",
        KEY[:-1],
        KEY + "00",
        "0x" + "zz" * 32,
        "00" * 32,
        "ff" * 32,
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
    ],
)
def test_malformed_key_is_named_by_its_variable(value: str) -> None:
    message = fault(OTC_PRIVATE_KEY=value)
    assert message.startswith("OTC_PRIVATE_KEY is not a private key")


def test_missing_file(tmp_path: Path) -> None:
    assert "no keystore at" in fault(tmp_path / "none.json")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    assert "cannot read the keystore" in fault(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"\xff\xfe", b'{"crypto": 1}', KEY.encode(), b" " * 70_000 + b"{}"],
)
def test_not_a_keystore(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key.json"
    path.write_bytes(content)
    assert "is not a keystore" in fault(path)


def test_other_version(path: Path) -> None:
    path.write_text(json.dumps(encrypted(version=1)))
    assert "another version than 3" in fault(path)


@pytest.mark.parametrize("crypto", [{}, {**encrypted()["crypto"], "ciphertext": "zz"}, {"kdf": 1}])
def test_damaged_keystore(path: Path, crypto: dict[str, Any]) -> None:
    path.write_text(json.dumps(encrypted(crypto=crypto)))
    assert "is not a usable keystore" in fault(path)


def test_wrong_password(path: Path) -> None:
    assert fault(path, OTC_KEYSTORE_PASSWORD="guess") == f"wrong password for {path}"


def test_no_password_and_no_terminal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(KeystoreError, match=r"no password for .* set OTC_KEYSTORE_PASSWORD"):
        keystore.load_account(path, environ={})


def test_missing_password_file(path: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert "cannot read the password file" in fault(path, OTC_KEYSTORE_PASSWORD_FILE=missing)


def test_empty_password_file(path: Path, tmp_path: Path) -> None:
    empty = tmp_path / "password"
    empty.write_text("\n")
    assert "is empty" in fault(path, OTC_KEYSTORE_PASSWORD_FILE=str(empty))


def test_password_by_prompt(path: Path) -> None:
    answers = {f"Password for {path}: ": PASSWORD}
    assert keystore.load_account(path, environ={}, ask=answers.__getitem__).address == ADDRESS


def test_password_by_file_without_its_line_end(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\r\n")
    environ = {"OTC_KEYSTORE": str(path), "OTC_KEYSTORE_PASSWORD_FILE": str(file)}
    assert keystore.load_account(environ=environ).address == ADDRESS


def test_named_keystore_wins_over_a_key_in_the_environment(path: Path) -> None:
    environ = {"OTC_PRIVATE_KEY": "0x" + "11" * 32, "OTC_KEYSTORE_PASSWORD": PASSWORD}
    assert keystore.load_account(path, environ=environ).address == ADDRESS


@pytest.mark.parametrize("value", [KEY, KEY[2:], f" {KEY}\n"])
def test_key_by_variable(value: str) -> None:
    assert keystore.load_account(environ={"OTC_PRIVATE_KEY": value}).address == ADDRESS


def test_create_refuses_an_empty_password(tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="empty password"):
        keystore.create(tmp_path / "key.json", "")
    assert not list(tmp_path.iterdir())


def test_create_never_overwrites(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeystoreError, match="never overwritten"):
        keystore.create(path, PASSWORD)
    assert path.read_bytes() == before


def test_create_never_overwrites_a_file_that_appears_meanwhile(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeystoreError, match="never overwritten"):
        keystore.place(path, "new")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_create_in_what_is_not_a_folder(path: Path) -> None:
    with pytest.raises(KeystoreError, match="is not a folder"):
        keystore.place(path / "key.json", "new")


def test_new_passwords_that_differ(tmp_path: Path) -> None:
    answers = iter(["one", "other"])
    with pytest.raises(KeystoreError, match="differ"):
        keystore.new_password(tmp_path / "key.json", environ={}, ask=lambda _: next(answers))


def test_created_keystore_opens_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "key.json"
    address = keystore.create(path, PASSWORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    environ = {"OTC_KEYSTORE_PASSWORD": PASSWORD}
    assert keystore.load_account(path, environ=environ).address == address
