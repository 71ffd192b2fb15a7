"""Orders: list, show, take, fund, say paid, call off."""

import json
import time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer
from otc_sdk.amounts import to_units
from otc_sdk.errors import AmountError, ApiError, ChainError
from otc_sdk.fiat import minor_digits
from otc_sdk.text import plain
from rich.table import Table
from rich.text import Text

from coordinator.cli.console import note, out, show
from coordinator.cli.next_step import NodeSays, is_to_pay, next_step
from coordinator.cli.order_view import show_log, show_order, terms_rows
from coordinator.cli.session import (
    API_URL,
    ApiUrl,
    Json,
    Keystore,
    OrderId,
    Refused,
    RpcUrl,
    Yes,
    ask,
    fetch,
    on_chain,
    propose,
    signed_in,
)
from coordinator.cli.words import amount, fiat, span

if TYPE_CHECKING:
    from otc_sdk.chain import EscrowAccount
    from otc_sdk.client import Client
    from otc_sdk.order import Order

app = typer.Typer(
    name="order", no_args_is_help=True, help="Take ads, fund and follow orders of your own."
)
OwnNode = Annotated[
    str | None,
    typer.Option(
        "--rpc-url",
        envvar="OTC_RPC_URL",
        help="A node of yours, asked whether the vault is funded. Without one the coordinator is "
        "believed.",
    ),
]
WATCH_SECONDS = 2
RETRIED = (0, 503)  # unreachable, unavailable
UNAUTHORIZED = 401
PRIOR_DEPOSIT = "the vault holds {held} already; the order is funded"


@app.command("list")
def list_orders(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 50,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """List your orders, as seller, buyer or arbitrator, newest first.

    Example:

        otc order list --keystore ~/.otc/merchant.json
    """
    with signed_in(api, keystore) as client:
        orders, now = client.orders(limit), client.chain_time()
        if as_json:
            typer.echo(json.dumps(orders, indent=2))
            return
        print_table(client, orders, now)


def print_table(client: "Client", orders: list[dict[str, Any]], now: int) -> None:
    if not orders:
        out.print("No orders yet. Find an ad: otc ad list --side sell --fiat EUR")
        return
    table = Table()
    for name in ("order", "status", "you", "amount", "fiat", "method", "opened"):
        table.add_column(name)
    decimals, symbol = client.platform["token_decimals"], client.platform["token_symbol"]
    for o in orders:
        mine = next((r for r in ("seller", "buyer", "arbitrator") if o[r] == client.address), "")
        units = Decimal(int(o["amount_units"])).scaleb(-decimals).normalize()
        money = fiat(int(o["fiat_amount_minor"]), o["fiat"])
        ago = f"{span(max(0, now - o['created_at']))} ago"
        cells = (o["id"][:12], o["status"], mine, f"{units:f} {symbol}", money)
        table.add_row(*(Text(plain(cell)) for cell in (*cells, o["payment_method"], ago)))
    out.print(table)


@app.command("show")
def show_one(
    order: OrderId,
    log: Annotated[bool, typer.Option("--log", help="Also its log, whose hashes are checked.")] = (
        False
    ),
    watch: Annotated[bool, typer.Option("--watch", help="Show every change until Ctrl-C.")] = False,
    rpc_url: OwnNode = None,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Show an order: where it stands, its deadlines, who signed, and what you do next.

    The JSON can be kept: with it you can sign on a machine without a network, and get your tokens
    back from the chain if the coordinator is gone (`--offline` of the other commands).

    A buyer gives a node of their own: without one, that the vault is funded is the coordinator's
    word, and nobody who took it over pays the fiat back.

    Examples:

        otc order show 3f9c2a --log
        otc order show 3f9c2a --json > order.json
        otc order show 3f9c2a --watch --rpc-url https://your-node.example
    """
    with signed_in(api, keystore) as client:
        found = fetch(client, order)
        print_order(client, found, log, as_json, rpc_url, indent=None if watch else 2)
        if watch:
            follow(client, found, log, as_json, rpc_url)


def print_order(
    client: "Client",
    order: "Order",
    log: bool,
    as_json: bool,
    rpc_url: str | None,
    indent: int | None = 2,
) -> None:
    now = client.chain_time()
    role = order.role_of(client.address)
    node = ask_node(order, rpc_url) if is_to_pay(order, role) else None
    entries = client.log(order.id) if log else None
    if as_json:
        extra: dict[str, Any] = {"chain_time": now, "next_step": next_step(order, role, now, node)}
        if entries is not None:
            extra["log"] = entries
        typer.echo(json.dumps({**order.saved(), **extra}, indent=indent))
        return
    show_order(order, role, now, node)
    if entries is not None:
        show_log(entries, now)


def ask_node(order: "Order", rpc_url: str | None) -> NodeSays | None:
    """What a node of the buyer's own says of the vault; None without one."""
    from otc_sdk.chain import connect
    from otc_sdk.funding import require_funded

    if rpc_url is None:
        return None
    try:
        require_funded(connect(rpc_url, order.domain.chain_id), order)
    except ChainError as error:
        return NodeSays(str(error))
    return NodeSays(None)


def follow(client: "Client", order: "Order", log: bool, as_json: bool, rpc_url: str | None) -> None:
    """Print the order at each change. An outage is noted once and outlasted."""
    known, noted = order.facts, ""
    try:
        while True:
            time.sleep(WATCH_SECONDS)
            try:
                found = fetch(client, order.id)
                if found.facts != known:
                    known = found.facts
                    print_order(client, found, log, as_json, rpc_url, indent=None)
                noted = ""
            except ApiError as error:
                noted = outlast(client, error, noted)
    except KeyboardInterrupt:
        note("no longer watching")


def outlast(client: "Client", error: ApiError, noted: str) -> str:
    """Sign in again if the session is over, wait if nobody answers; raise the rest."""
    if error.status == UNAUTHORIZED:
        client.sign_in()
    elif error.status not in RETRIED:
        raise error
    elif str(error) != noted:
        note(f"{error}; trying again")
    return str(error)


@app.command()
def take(
    side: Annotated[str, typer.Option(help="What you do: buy or sell the token.")],
    fiat_code: Annotated[str, typer.Option("--fiat", help="The currency, like EUR.")],
    method: Annotated[str, typer.Option(help="The payment method, like sepa.")],
    tokens: Annotated[str | None, typer.Option("--amount", help="Whole tokens, like 12.5.")] = None,
    fiat_amount: Annotated[
        str | None, typer.Option(help="Or the fiat to spend or receive, like 100.00.")
    ] = None,
    worst_price: Annotated[
        str | None, typer.Option(help="Refuse a price that is worse for you.")
    ] = None,
    ad: Annotated[int | None, typer.Option(help="This ad; default: the best one.")] = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Take an ad: see the proposed terms, then sign them.

    If you say no, the order is called off. Nothing is locked before the seller funds the vault.

    Examples:

        otc order take --side buy --fiat EUR --method sepa --amount 12.5
        otc order take --side sell --fiat BRL --method pix --fiat-amount 500 --worst-price 5.1
    """
    with signed_in(api, keystore) as client:
        want = {
            "side": side,
            "fiat": fiat_code,
            "payment_method": method,
            "ad_id": ad,
            "worst_price": price(worst_price),
            **how_much(client, tokens, fiat_amount, fiat_code),
        }
        placed = client.place_order(want)
        try:
            signed = agree_to_terms(client, client.read(placed), yes)
        except Refused:
            client.withdraw(placed)
            raise
        print_done(client, signed, "Taken", as_json)


def how_much(
    client: "Client", tokens: str | None, fiat_amount: str | None, currency: str
) -> dict[str, str]:
    if (tokens is None) == (fiat_amount is None):
        raise Refused("give either --amount or --fiat-amount")
    if tokens is not None:
        return {"amount_units": str(to_units(tokens, client.platform["token_decimals"]))}
    return {"fiat_amount_minor": str(to_units(fiat_amount or "", minor_digits(currency)))}


def price(text: str | None) -> str | None:
    """The price as it was written. Raises AmountError."""
    try:
        if text is None or Decimal(text).is_finite():
            return text
    except InvalidOperation:
        pass
    raise AmountError(f"{text!r} is not a price: write digits with a point, like 0.93")


def agree_to_terms(client: "Client", order: "Order", yes: bool) -> "Order":
    """Show the terms, ask, and sign them. Raises Refused if the user says no."""
    role = order.role_of(client.address)
    if role.label in order.facts["terms_signed_by"]:
        raise Refused("you signed these terms already")
    propose(f"Terms of order {order.id}", terms_rows(order, role, client.chain_time()))
    ask("Sign these terms?", yes)
    return client.read(client.sign_terms(order.facts))


def print_done(client: "Client", order: "Order", title: str, as_json: bool) -> None:
    now = client.chain_time()
    step = next_step(order, order.role_of(client.address), now)
    if as_json:
        typer.echo(json.dumps({**order.saved(), "next_step": step}, indent=2))
    else:
        show(title, {"order": order.id, "status": order.facts["status"], "next": step}, False)


@app.command()
def fund(
    order: OrderId,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Transfer the order's amount from your account to its vault, with your own gas.

    Only after both traders signed the terms, and only before the fund-by time. A transfer from
    any wallet or exchange to the vault's address does the same.

    Example:

        otc order fund 3f9c2a --rpc-url https://your-node.example
    """
    with signed_in(api, keystore) as client:
        found = fetch(client, order, yes)
        require_fundable(client, found)
        chain = on_chain(found, client.account, rpc_url)
        propose("Funding", funding_rows(found, chain))
        ask("Send it?", yes)
        sent = chain.fund(client.terms_to_enter(found.facts), found.decimals)
        rows = {"order": found.id, "vault": found.vault, "transaction": sent.tx_hash,
                "gas": sent.gas_used, "next": "wait until the deposit is final"}  # fmt: skip
        show("Funded", rows, as_json)


def require_fundable(client: "Client", order: "Order") -> None:
    """Raise Refused unless the seller should fund now."""
    facts = order.facts
    now = client.chain_time()
    checks = (
        (order.terms.seller != client.address, "only the seller funds an order"),
        (facts["status"] != "pending", f"the order is {plain(facts['status'])}"),
        (len(facts["terms_signed_by"]) < 2, "both traders must sign the terms first"),
        (now >= facts["fund_by"], "the time to fund is over"),
        (int(facts["escrow"]["seen_units"]) > 0, PRIOR_DEPOSIT.format(
            held=amount(order, int(facts["escrow"]["seen_units"])))),
    )  # fmt: skip
    reason = next((text for bad, text in checks if bad), None)
    if reason is not None:
        raise Refused(f"do not fund: {reason}")


def funding_rows(order: "Order", chain: "EscrowAccount") -> dict[str, object]:
    return {
        "amount": amount(order, order.terms.amount_units),
        "token": order.terms.token,
        "from": chain.account.address,
        "to the vault": order.vault,
        "escrow": f"{order.domain.escrow} on chain {order.domain.chain_id}",
    }


@app.command()
def paid(
    order: OrderId,
    reference: Annotated[str, typer.Option(help="What the seller finds the payment by.")],
    rpc_url: OwnNode = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Say that you sent the fiat. Also signs a dispute ahead.

    The coordinator keeps that signature and brings it to the chain only if the seller asks for a
    refund. Being paid is never taken back. With a node of your own you are warned if the vault is
    not what the coordinator says; it is better to ask by `otc order show` before you pay.

    Example:

        otc order paid 3f9c2a --reference "INV-1001"
    """
    with signed_in(api, keystore) as client:
        found = fetch(client, order, yes)
        node = ask_node(found, rpc_url)
        if node is not None and node.fault is not None:
            note(f"careful: {node.fault}; if you paid already, open a dispute on chain")
        money = fiat(int(found.facts["fiat_amount_minor"]), found.facts["fiat"])
        ask(f"Did you send {money} by {plain(found.facts['payment_method'])}?", yes)
        print_done(client, client.read(client.mark_paid(found.facts, reference)), "Paid", as_json)


@app.command()
def withdraw(
    order: OrderId,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Call an order off while nothing is in its vault.

    Example:

        otc order withdraw 3f9c2a
    """
    with signed_in(api, keystore) as client:
        found = fetch(client, order, yes)
        ask(f"Call off order {found.id}?", yes)
        print_done(client, client.read(client.withdraw(found.facts)), "Called off", as_json)
