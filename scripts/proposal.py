"""What panel.py and treasury.py share: their options, the proposal's file, and how they refuse."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk.deployment import open_node
from otc_sdk.errors import OtcError
from otc_sdk.keystore import KEY_PATTERN, load_account
from otc_sdk.networks import NETWORKS, find_network
from otc_sdk.text import plain
from web3 import Web3

MAX_FILE_BYTES = 1024 * 1024

Command = Callable[[argparse.Namespace], None]


class Refused(OtcError):
    """The script will not do it. Nothing was sent."""


def run(parser: argparse.ArgumentParser, arguments: list[str] | None = None) -> None:
    """Carry out a command; a refusal is one line and exit code 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        require_no_key(arguments)
        options = parser.parse_args(arguments)
        options.command(options)
    except OtcError as error:
        raise SystemExit(f"error: {' '.join(str(error).split())}") from None


def require_no_key(arguments: list[str]) -> None:
    """Raise Refused if an argument looks like a private key, without repeating it."""
    if any(KEY_PATTERN.fullmatch(text.rpartition("=")[2]) for text in arguments):
        raise Refused(
            "that looks like a private key: process lists and shell histories have it now. Give "
            "it up, and use --keystore, OTC_KEYSTORE or OTC_PRIVATE_KEY"
        )


def add_command(commands: Any, name: str, command: Command, words: str) -> Any:
    """A command with the options that all have."""
    parser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    parser.add_argument("--network", required=True, help=f"{', '.join(NETWORKS)}, or any other")
    parser.add_argument("--rpc-url", help="its node; default: OTC_RPC_URL_<NETWORK>")
    parser.add_argument("--chain-id", type=int, help="of a network that is not built in")
    return parser


def add_key(parser: Any) -> None:
    words = "whose key; default: OTC_KEYSTORE, then the key in OTC_PRIVATE_KEY"
    parser.add_argument("--keystore", type=Path, help=words)


def add_yes(parser: Any) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask; for scripts")


def node(options: argparse.Namespace) -> Web3:
    """The network's node. Raises ChainError if it is down or on another chain."""
    return open_node(find_network(options.network, options.rpc_url, options.chain_id))


def account(options: argparse.Namespace) -> LocalAccount:
    return load_account(options.keystore)


def address(text: str) -> str:
    """A checksummed address. Raises Refused: a typing error must not cost the money."""
    if not Web3.is_checksum_address(text):
        raise Refused(f"{text!r} is not an address with its checksum")
    return text


def read(path: Path, kind: str) -> dict[str, Any]:
    """A proposal of this kind. Raises Refused."""
    content = read_json(path)
    if content.get("kind") != kind or not isinstance(content.get("signatures"), dict):
        raise Refused(f"{path} holds no proposal of a {kind}")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises Refused."""
    try:
        with path.expanduser().open(encoding="utf-8") as file:
            content = json.loads(file.read(MAX_FILE_BYTES))
    except (OSError, ValueError) as error:
        raise Refused(f"cannot read {path}: {type(error).__name__}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path} holds no JSON object")
    return content


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON. Raises Refused."""
    try:
        path.expanduser().write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None


def write_new(path: Path, content: dict[str, Any]) -> None:
    """Write JSON where nothing is. Raises Refused: confirmations must not be overwritten."""
    if path.expanduser().exists():
        raise Refused(f"{path} exists")
    write(path, content)


def signatures_in(content: dict[str, Any]) -> dict[str, bytes]:
    """The confirmations so far, by owner. Raises Refused."""
    try:
        return {
            address(owner): bytes.fromhex(signature.removeprefix("0x"))
            for owner, signature in content["signatures"].items()
        }
    except (ValueError, AttributeError):
        raise Refused("the proposal's signatures are malformed") from None


def ask(question: str, yes: bool) -> None:
    """Raise Refused unless the user agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{question} Nobody can answer: use --yes")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise Refused("you did not agree")


def show(rows: dict[str, object]) -> None:
    """One row a line, whatever somebody wrote into a proposal's file."""
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:{width}}  {plain(value)}")
