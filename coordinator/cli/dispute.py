"""Disputes: opening one, and the arbitrator's ruling."""

from typing import Annotated

import typer
from otc_sdk.roles import TRADERS, Role

from coordinator.cli.console import show
from coordinator.cli.order import print_done
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
    fetch,
    on_chain,
    one_of,
    order_and_account,
    signed_in,
)
from coordinator.cli.sign import Counter, ValidDays, Wish, share_of, sign

app = typer.Typer()
WARNING = "A dispute ends the seller's refund by time and calls the arbitrator. Open it?"


@app.command()
def dispute(
    order: MaybeOrderId = None,
    reason: Annotated[
        str | None, typer.Option(help="What the arbitrator should know first.")
    ] = None,
    chain: Annotated[
        bool, typer.Option("--on-chain", help="Send the transaction yourself, with your gas.")
    ] = False,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Open a dispute, as buyer or seller, while the vault holds the amount.

    By default you sign and the coordinator sends it. With --on-chain you need nobody.

    Examples:

        otc dispute 3f9c2a --reason "Only half of the money arrived"
        otc dispute --offline order.json --on-chain --rpc-url https://your-node.example
    """
    if chain:
        dispute_on_chain(order, offline, rpc_url, api, keystore, yes=yes, as_json=as_json)
        return
    if order is None or reason is None or offline is not None:
        raise Refused("give ORDER and --reason, or --on-chain to need no coordinator")
    with signed_in(api, keystore) as client:
        found = fetch(client, order, yes)
        ask(WARNING, yes)
        opened = client.read(client.open_dispute(found.facts, reason))
        print_done(client, opened, "Signed; the coordinator sends it", as_json)


def dispute_on_chain(
    text: MaybeOrderId, offline: Offline, rpc_url: RpcUrl, api: str, keystore: Keystore,
    *, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    order, account = order_and_account(text, offline, api, keystore, yes)
    role = order.role_of(account.address)
    if role not in TRADERS:
        raise Refused(f"only buyer and seller open disputes; you are the {role.label}")
    chain = on_chain(order, account, rpc_url)
    ask(WARNING, yes)
    sent = chain.dispute(order.terms, role)
    rows = {"order": order.id, "by": role.label, "transaction": sent.tx_hash, "gas": sent.gas_used}
    show("Disputed", rows, as_json)


@app.command()
def rule(
    order: MaybeOrderId = None,
    to_buyer: Annotated[
        str | None, typer.Option(metavar="AMOUNT|all|none", help="The buyer's share.")
    ] = None,
    offline: Offline = None,
    counter: Counter = None,
    valid_days: ValidDays = 7,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Rule on a disputed order, as its arbitrator: any division of the amount.

    The ruling is paid out once one of the traders signs it, too, by `--counter` of `otc sign`.

    Examples:

        otc rule 3f9c2a --to-buyer all
        otc rule 3f9c2a --to-buyer 40.25
        otc rule 3f9c2a --counter 7
    """
    one_of(order, offline)
    wish = Wish(order, offline, counter, valid_days, yes, api, keystore, as_json)
    sign(wish, lambda found: share_of(found, to_buyer, counter), (Role.ARBITRATOR,))
