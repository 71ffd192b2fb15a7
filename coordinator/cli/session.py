"""What the trading commands share: their options, signing in, finding an order, asking first.

Every command signs in anew and keeps nothing on disk.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from otc_sdk.errors import ChainError, OtcError, TermsError
from otc_sdk.networks import NETWORKS, find_network
from otc_sdk.text import plain
from rich.text import Text

from coordinator.cli.console import err, note

if TYPE_CHECKING:
    from eth_account.signers.base import BaseAccount
    from otc_sdk.chain import EscrowAccount
    from otc_sdk.client import Client
    from otc_sdk.order import Order

API_URL = "http://127.0.0.1:8000"
# The JSON of an order is a few thousand bytes; a path given by mistake may be anything.
MAX_ORDER_BYTES = 1024 * 1024

ApiUrl = Annotated[str, typer.Option("--api", envvar="OTC_API", help="The coordinator.")]
Keystore = Annotated[
    Path | None,
    typer.Option(help="Whose key. Default: OTC_KEYSTORE, then the key in OTC_PRIVATE_KEY."),
]
RpcUrl = Annotated[
    str | None,
    typer.Option(envvar="OTC_RPC_URL", help="A node of the order's chain. Default: a public one."),
]
OrderId = Annotated[
    str, typer.Argument(metavar="ORDER", help="Its id, or 6 or more hex digits it begins with.")
]
MaybeOrderId = Annotated[
    str | None,
    typer.Argument(metavar="ORDER", help="Its id, or 6 or more hex digits it begins with."),
]
Offline = Annotated[
    Path | None,
    typer.Option(help="Instead of ORDER: a file by `otc order show --json`; no coordinator asked."),
]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask; for scripts. Takes an order's whole id.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class Refused(OtcError):
    """The command line will not do it."""


@contextmanager
def signed_in(api: str, keystore: Path | None) -> "Iterator[Client]":
    """A client of the account's, signed in, closed at the end.

    Raises TermsError if the coordinator says otherwise of itself than at its first use.
    """
    from otc_sdk.client import Client
    from otc_sdk.keystore import load_account

    account = load_account(keystore)
    meet(api)
    with Client(api, account) as client:
        client.sign_in()
        yield client


def meet(api: str) -> None:
    """At the first use of a coordinator, show and write down what it says of itself."""
    from otc_sdk import known_platforms
    from otc_sdk.api import Api
    from otc_sdk.platform import Platform

    if known_platforms.known(api):
        return
    with Api(api) as anyone:
        told = Platform.read(anyone.platform)
    path = known_platforms.remember(api, told)
    propose(f"First use of {api}: from now on nothing else of it is signed", asdict(told))
    note(f"Compare it with what its operator says elsewhere. Written to {path}")


def fetch(client: "Client", text: str, yes: bool = False) -> "Order":
    """The order that begins with `text`, consistent with its terms.

    Raises Refused if nobody is asked (`yes`) and `text` is not the whole id.
    """
    from otc_sdk.client import is_order_id

    if yes and not is_order_id(text):
        raise Refused("with --yes give the order's whole id: other ids may begin like it")
    return client.read(client.order(client.resolve(text)))


def from_file(path: Path) -> "Order":
    """An order saved by `otc order show --json`. Raises TermsError."""
    from otc_sdk.order import Order

    try:
        with path.expanduser().open(encoding="utf-8") as file:
            text = file.read(MAX_ORDER_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"cannot read {path}: {error}") from error
    return Order.load(text)


def one_of(text: str | None, offline: Path | None) -> None:
    if (text is None) == (offline is None):
        raise Refused("name one order: by its id, or by --offline FILE")


def order_and_account(
    text: str | None, offline: Path | None, api: str, keystore: Path | None, yes: bool
) -> "tuple[Order, BaseAccount]":
    """An order by the coordinator or from a file, and the account that acts on it."""
    from otc_sdk.keystore import load_account

    one_of(text, offline)
    account = load_account(keystore)
    if offline is not None:
        return from_file(offline), account
    with signed_in(api, keystore) as client:
        return fetch(client, text or "", yes), account


def on_chain(order: "Order", account: "BaseAccount", rpc_url: str | None) -> "EscrowAccount":
    """The account on the order's chain, with its own gas.

    Raises ChainError, also if the escrow there is another build's: a file may name any contract.
    """
    from otc_sdk.chain import EscrowAccount, connect
    from otc_sdk.deployment import require_escrow

    w3 = connect(rpc_url or node_of(order.domain.chain_id), order.domain.chain_id)
    require_escrow(w3, order.domain.escrow)
    return EscrowAccount(w3, order.domain, account)


def node_of(chain_id: int) -> str:
    """The node of a chain that has a name. Raises ChainError."""
    name = next((n.name for n in NETWORKS.values() if n.chain_id == chain_id), None)
    if name is None:
        raise ChainError(f"give a node of chain {chain_id}: --rpc-url, or OTC_RPC_URL")
    return find_network(name).rpc_url


def address_in(text: str) -> str:
    """An address that somebody typed. Raises Refused: a typing error must not cost the money."""
    from eth_utils.address import is_checksum_address

    if not is_checksum_address(text):
        raise Refused(f"{text!r} is not an address with its checksum")
    return text


def chain_now(chain: "EscrowAccount") -> int:
    from otc_sdk.deployment import node_errors

    with node_errors():
        return int(chain.w3.eth.get_block("latest")["timestamp"])


def latest(*moments: int) -> int:
    """Unix seconds now: of this machine, or of a chain whose clock is ahead."""
    return max(int(time.time()), *moments)


def propose(title: str, rows: Mapping[str, object]) -> None:
    """Show what is about to be done, on standard error: the result alone is for pipes."""
    shown = {name: value for name, value in rows.items() if value is not None}
    width = max(map(len, shown))
    err.print(Text(title, style="bold"))
    for name, value in shown.items():
        err.print(Text.assemble((name.ljust(width + 2), "dim"), plain(value)))


def ask(question: str, yes: bool) -> None:
    """Raise Refused unless the user agrees, or agreed by --yes."""
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo("", err=True)
        raise Refused("nobody answered, so nothing was done; in scripts add --yes") from None
    if not agreed:
        raise Refused("you said no, so nothing was done")
