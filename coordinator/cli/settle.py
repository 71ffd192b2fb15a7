"""Acts on the chain that need no coordinator: settling with signatures, sweeping."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from otc_sdk.errors import TermsError
from otc_sdk.roles import Role

from coordinator.cli.console import show
from coordinator.cli.session import (
    API_URL,
    ApiUrl,
    Json,
    Keystore,
    MaybeOrderId,
    Offline,
    Refused,
    RpcUrl,
    Yes,
    ask,
    on_chain,
    order_and_account,
)
from coordinator.cli.words import outcome

if TYPE_CHECKING:
    from otc_sdk.chain import Sent
    from otc_sdk.order import Order

app = typer.Typer()
NATIVE = "0x" + "00" * 20
MAX_SIGNED_BYTES = 64 * 1024


@app.command()
def settle(
    order: MaybeOrderId = None,
    signed: Annotated[
        list[Path] | None,
        typer.Option(help="Output of `otc sign … --offline … --json`; one for each signer."),
    ] = None,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Bring signatures to the chain yourself, with your gas.

    Two traders who agree, or one and the arbitrator in a dispute, need no coordinator. Whoever
    holds a role of the order and sends this counts as a signer.

    Example:

        otc settle --offline order.json --signed seller.json --signed buyer.json
        --rpc-url https://your-node.example
    """
    found, account = order_and_account(order, offline, api, keystore, yes)
    if not signed:
        raise Refused("give at least one --signed FILE")
    units, until, signatures = gather(found, [read_signed(path) for path in signed])
    chain = on_chain(found, account, rpc_url)
    ask(f"Settle order {found.id}, {outcome(found, units)}?", yes)
    sent = chain.settle(found.terms, units, until, signatures)
    print_sent("Settled", found, sent, as_json)


def read_signed(path: Path) -> dict[str, Any]:
    """A signature that was printed by `otc sign`. Raises TermsError."""
    try:
        content = small_json(path)
        return {
            "order": str(content["order"]),
            "role": Role[content["role"].upper()],
            "share": (int(content["to_buyer_units"]), int(content["valid_until"])),
            "signature": bytes.fromhex(content["signature"].removeprefix("0x")),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise TermsError(f"{path} holds no signature by `otc sign --offline --json`") from None


def small_json(path: Path) -> Any:
    """What a command printed to a file. Raises OSError or ValueError."""
    with path.expanduser().open(encoding="utf-8") as file:
        return json.loads(file.read(MAX_SIGNED_BYTES))


def gather(order: "Order", signed: list[dict[str, Any]]) -> tuple[int, int, dict[Role, bytes]]:
    """One settlement out of several signatures, which the chain checks. Raises TermsError."""
    if any(one["order"] != order.id for one in signed):
        raise TermsError("a signature is of another order")
    if len({one["share"] for one in signed}) > 1:
        raise TermsError("the signatures are of different settlements")
    units, until = signed[0]["share"]
    return units, until, {one["role"]: one["signature"] for one in signed}


@app.command()
def sweep(
    order: MaybeOrderId = None,
    token: Annotated[
        str | None, typer.Option(help="Its address, or `native`; default: the order's token.")
    ] = None,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Send late or foreign tokens from a settled order's vault to its seller. Anyone may.

    Examples:

        otc sweep 3f9c2a --rpc-url https://your-node.example
        otc sweep 3f9c2a --token native
    """
    found, account = order_and_account(order, offline, api, keystore, yes)
    chain = on_chain(found, account, rpc_url)
    ask(f"Send what is left in {found.vault} to the seller, {found.terms.seller}?", yes)
    sent = chain.sweep(found.terms, token_address(found, token))
    print_sent("Swept", found, sent, as_json)


def token_address(order: "Order", text: str | None) -> str:
    from eth_utils.address import is_address, to_checksum_address

    if text is None:
        return order.terms.token
    if text == "native":
        return NATIVE
    if not is_address(text):
        raise Refused(f"{text!r} is no address")
    return str(to_checksum_address(text))


def print_sent(title: str, order: "Order", sent: "Sent", as_json: bool) -> None:
    rows = {"order": order.id, "transaction": sent.tx_hash, "gas": sent.gas_used}
    show(title, rows, as_json)
