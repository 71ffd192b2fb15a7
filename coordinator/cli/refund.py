"""The seller's refund by time: on the chain alone, with nobody's help."""

from typing import TYPE_CHECKING

import typer
from otc_sdk.policy import State, allows
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
    chain_now,
    on_chain,
    order_and_account,
)
from coordinator.cli.words import amount, moment

if TYPE_CHECKING:
    from eth_account.signers.base import BaseAccount
    from otc_sdk.chain import EscrowAccount
    from otc_sdk.order import Order

app = typer.Typer(
    name="refund", no_args_is_help=True, help="Get your tokens back by time, as the seller."
)
VALID_SECONDS = 3600


@app.command()
def request(
    order: MaybeOrderId = None,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Ask the chain for a refund, after the pay-by time.

    This starts the refund window. If nobody disputes within it, `otc refund take` pays you back.
    If the buyer said that they paid, the coordinator answers with the buyer's dispute.

    Examples:

        otc refund request 3f9c2a --rpc-url https://your-node.example
        otc refund request --offline order.json --rpc-url https://your-node.example
    """
    found, account = order_and_account(order, offline, api, keystore, yes)
    chain, now = as_seller(found, account, rpc_url)
    state = read_state(chain, found)
    require_undisputed(state)
    if now < found.terms.pay_by:
        raise Refused(f"too early: the buyer may pay until {moment(found.terms.pay_by, now)}")
    if state.refund_requested_at:
        raise Refused(f"requested already: {due(found, state, now)}")
    ask(f"Ask for {amount(found, found.terms.amount_units)} back?", yes)
    sent = chain.request_refund(found.terms)
    rows = {
        "order": found.id,
        "transaction": sent.tx_hash,
        "gas": sent.gas_used,
        "next": due(found, read_state(chain, found), chain_now(chain)),
    }
    show("Requested", rows, as_json)


@app.command()
def take(
    order: MaybeOrderId = None,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Take the refund, after `otc refund request` and the refund window.

    Examples:

        otc refund take 3f9c2a --rpc-url https://your-node.example
        otc refund take --offline order.json --rpc-url https://your-node.example
    """
    found, account = order_and_account(order, offline, api, keystore, yes)
    chain, now = as_seller(found, account, rpc_url)
    state = read_state(chain, found)
    require_undisputed(state)
    if not state.refund_requested_at:
        raise Refused("there was no request: otc refund request comes first")
    if not allows({Role.SELLER}, 0, found.terms, state, now):
        raise Refused(f"too early: {due(found, state, now)}")
    ask(f"Take {amount(found, found.terms.amount_units)} back?", yes)
    sent = chain.settle(found.terms, 0, now + VALID_SECONDS)
    rows = {"order": found.id, "to": account.address, "transaction": sent.tx_hash,
            "gas": sent.gas_used}  # fmt: skip
    show("Refunded", rows, as_json)


def as_seller(
    order: "Order", account: "BaseAccount", rpc_url: str | None
) -> "tuple[EscrowAccount, int]":
    """The seller on the chain, and its time. Raises Refused for anybody else."""
    role = order.role_of(account.address)
    if role is not Role.SELLER:
        raise Refused(f"only the seller takes a refund by time; you are the {role.label}")
    chain = on_chain(order, account, rpc_url)
    return chain, chain_now(chain)


def read_state(chain: "EscrowAccount", order: "Order") -> State:
    from otc_sdk.deployment import node_errors

    with node_errors():
        return chain.state(order.id_bytes)


def require_undisputed(state: State) -> None:
    if state.disputed_at:
        raise Refused("the order is disputed: the refund by time is over, the arbitrator rules")


def due(order: "Order", state: State, now: int) -> str:
    at = state.refund_requested_at + order.terms.refund_window_seconds
    return f"otc refund take from {moment(at, now)}, unless somebody disputes"
