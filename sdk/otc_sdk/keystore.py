"""Accounts from an encrypted keystore (Web3 Secret Storage, version 3) or from the environment.

A private key is never an argument, and never in an error: process lists, shell histories and logs
keep those.
"""

import getpass
import json
import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import is_address, to_checksum_address
from eth_utils.exceptions import ValidationError

from otc_sdk.errors import KeystoreError

PRIVATE_KEY = "OTC_PRIVATE_KEY"
KEYSTORE = "OTC_KEYSTORE"
PASSWORD = "OTC_KEYSTORE_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE = "OTC_KEYSTORE_PASSWORD_FILE"  # noqa: S105 - the name of a variable

KEY_PATTERN = re.compile(r"(0x)?[0-9a-fA-F]{64}")
# A key somewhere in a text, also one with some digits too few or too many.
LIKE_A_KEY = re.compile(r"(0x)?[0-9a-fA-F]{60,}")
SEED_PHRASE_WORDS = 12
# The usual size is 500 bytes; a path given by mistake may be anything.
MAX_KEYSTORE_BYTES = 64 * 1024

# The "light" work factor that wallets use: 100 ms instead of seconds.
LIGHT_SCRYPT_N = 2**12

Ask = Callable[[str], str]


def load_account(
    keystore: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    ask: Ask = getpass.getpass,
) -> LocalAccount:
    """The account of `keystore`, else of OTC_KEYSTORE, else of the key in OTC_PRIVATE_KEY.

    The keystore's password comes from OTC_KEYSTORE_PASSWORD, else from the file that
    OTC_KEYSTORE_PASSWORD_FILE names, else from `ask(prompt)` if there is a terminal.
    Raises KeystoreError: no account given, two given, missing or malformed file, wrong password,
    malformed key.
    """
    if keystore is None and environ.get(KEYSTORE):
        if environ.get(PRIVATE_KEY):
            raise KeystoreError(f"{KEYSTORE} and {PRIVATE_KEY} are both set; unset one")
        keystore = require_path(Path(environ[KEYSTORE]), KEYSTORE)
    if keystore is not None:
        return unlock(keystore.expanduser(), environ, ask)
    if environ.get(PRIVATE_KEY):
        return from_variable(environ, PRIVATE_KEY)
    raise KeystoreError(f"no account: give --keystore, or set {KEYSTORE} or {PRIVATE_KEY}")


def hide_keys(text: str) -> str:
    """A text for people, without what looks like a private key."""
    return LIKE_A_KEY.sub("(hidden: it looks like a private key)", text)


def require_path(path: Path, name: str = "the keystore's path") -> Path:
    """The path. Raises KeystoreError if it is a secret put in its place, without repeating it."""
    text = str(path)
    if LIKE_A_KEY.fullmatch(path.name) or len(text.split()) >= SEED_PHRASE_WORDS:
        raise KeystoreError(f"{name} is no file but looks like a key; {PRIVATE_KEY} takes keys")
    return path


def is_configured(keystore: Path | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether `load_account` would find an account named."""
    return bool(keystore or environ.get(KEYSTORE) or environ.get(PRIVATE_KEY))


def from_variable(environ: Mapping[str, str], name: str) -> LocalAccount:
    """The account of the private key (64 hex digits) in a variable.

    Raises KeystoreError naming the variable, without its value.
    """
    value = environ.get(name, "").strip()
    fault = KeystoreError(f"{name} is not a private key: 64 hex digits, with or without 0x")
    if not KEY_PATTERN.fullmatch(value):
        raise fault
    try:
        return from_key(value)
    except (ValueError, ValidationError):  # zero, or beyond the curve's order
        raise fault from None


def from_key(key: str | bytes) -> LocalAccount:
    account: LocalAccount = Account.from_key(key)
    return account


def unlock(path: Path, environ: Mapping[str, str], ask: Ask) -> LocalAccount:
    """The account of a keystore file. Raises KeystoreError."""
    content = read(path)
    password = password_for(path, environ, ask)
    try:
        return from_key(bytes(Account.decrypt(content, password)))
    except ValueError as error:
        if "MAC mismatch" in str(error):
            raise KeystoreError(f"wrong password for {path}") from None
        raise KeystoreError(f"{path} is not a usable keystore") from None
    except (KeyError, TypeError, NotImplementedError, ValidationError):
        raise KeystoreError(f"{path} is not a usable keystore") from None


def read(path: Path) -> dict[str, Any]:
    """The keystore's JSON. Raises KeystoreError unless it is of version 3."""
    require_path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_KEYSTORE_BYTES + 1)
    except FileNotFoundError:
        raise KeystoreError(f"no keystore at {path}") from None
    except OSError as error:
        raise KeystoreError(f"cannot read the keystore {path}: {error.strerror}") from None
    try:
        content = json.loads(raw)
    except ValueError:  # its words may quote what was in the file
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("crypto"), dict):
        raise KeystoreError(f"{path} is not a keystore")
    if content.get("version") != 3:
        raise KeystoreError(f"{path} is a keystore of another version than 3")
    return content


def public_address(path: Path) -> str:
    """The address that a keystore names, without its password. Raises KeystoreError."""
    address = str(read(path.expanduser()).get("address", ""))
    if not is_address(address):
        raise KeystoreError(f"{path} does not name its address")
    return str(to_checksum_address(address))


def password_for(path: Path, environ: Mapping[str, str], ask: Ask) -> str:
    """The password by variable, file or prompt. Raises KeystoreError if there is no way to it."""
    return given_password(environ) or ask_for(path, f"Password for {path}: ", ask)


def new_password(
    path: Path, *, environ: Mapping[str, str] = os.environ, ask: Ask = getpass.getpass
) -> str:
    """The password for a new keystore; a prompt asks twice. Raises KeystoreError."""
    require_path(path)
    password = given_password(environ)
    if password is None:
        password = ask_for(path, f"New password for {path}: ", ask)
        if ask_for(path, "The same again: ", ask) != password:
            raise KeystoreError("the two passwords differ")
    return password


def ask_for(path: Path, prompt: str, ask: Ask) -> str:
    if ask is getpass.getpass and not sys.stdin.isatty():
        raise KeystoreError(f"no password for {path}: set {PASSWORD} or {PASSWORD_FILE}")
    return ask(prompt)


def given_password(environ: Mapping[str, str]) -> str | None:
    """The password by variable or file. Raises KeystoreError if the file is unusable."""
    if environ.get(PASSWORD):
        return environ[PASSWORD]
    if environ.get(PASSWORD_FILE):
        return password_in(Path(environ[PASSWORD_FILE]).expanduser())
    return None


def password_in(path: Path) -> str:
    """The password in a file, without the line end.

    Raises KeystoreError without the path: it may be the password itself.
    """
    try:
        password = path.read_text().rstrip("\r\n")
    except (OSError, ValueError):  # the latter: no text, or a path that none can have
        raise KeystoreError(f"cannot read the password file that {PASSWORD_FILE} names") from None
    if not password:
        raise KeystoreError(f"the password file {path} is empty")
    return password


def create(path: Path, password: str, scrypt_n: int | None = None) -> str:
    """Write a new key to a new keystore, readable by its owner alone; return its address.

    `scrypt_n` is the work to try one password; None takes the standard 2^18. Keys of a local chain
    do with LIGHT_SCRYPT_N.

    The file appears whole or not at all. Raises KeystoreError if there is one already, the
    password is empty, or the folder cannot be written.
    """
    if not password:
        raise KeystoreError("an empty password protects nothing")
    require_path(path)
    if path.exists() or path.is_symlink():  # before the slow encryption; `place` decides
        raise KeystoreError(f"{path} exists; a keystore is never overwritten")
    account: LocalAccount = Account.create()
    content = account.encrypt(password, iterations=scrypt_n)
    place(path, json.dumps(content, indent=2) + "\n")
    return account.address


def place(path: Path, text: str) -> None:
    """Write a private file in one step; linking, unlike renaming, never replaces one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            write_private(temporary, text)
            os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        if path.exists():
            raise KeystoreError(f"{path} exists; a keystore is never overwritten") from None
        raise KeystoreError(f"cannot write {path}: {path.parent} is not a folder") from None
    except OSError as error:
        raise KeystoreError(f"cannot write {path}: {error.strerror}") from None


def write_private(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
