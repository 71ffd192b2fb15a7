"""Signing with one's own key alone: terms, releases, refunds and splits."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from otc_sdk.amounts import to_units
from otc_sdk.errors import TermsError
from otc_sdk.payout import payout
from otc_sdk.quorum import missing
from otc_sdk.roles import TRADERS, Role

from coordinator.cli.console import show
from coordinator.cli.order import agree_to_terms, print_done
from coordinator.cli.session import (
    API_URL,
    ApiUrl,
    Json,
    Keystore,
    MaybeOrderId,
    Offline,
    OrderId,
    Refused,
    Yes,
    ask,
    fetch,
    from_file,
    latest,
    one_of,
    propose,
    signed_in,
)
from coordinator.cli.words import alternatives, amount, moment, outcome

if TYPE_CHECKING:
    from otc_sdk.client import Client
    from otc_sdk.order import Order

app = typer.Typer(
    name="sign", no_args_is_help=True, help="Sign terms, releases, refunds and splits."
)
DAY_SECONDS = 86_400
Counter = Annotated[
    int | None, typer.Option(metavar="SETTLEMENT", help="Co-sign this one that another signed.")
]
ValidDays = Annotated[
    int, typer.Option(min=1, max=29, help="How long the signature counts; not with --counter.")
]
Share = Callable[["Order"], int]


@dataclass(frozen=True)
class Wish:
    """What the user asked for, whatever is signed."""

    order: str | None
    offline: Path | None
    counter: int | None
    valid_days: int
    yes: bool
    api: str
    keystore: Path | None
    as_json: bool


@app.command()
def terms(
    order: OrderId,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Sign an order's terms: what a merchant does when an ad was taken.

    Example:

        otc sign terms 3f9c2a
    """
    with signed_in(api, keystore) as client:
        signed = agree_to_terms(client, fetch(client, order, yes), yes)
        print_done(client, signed, "Signed", as_json)


@app.command()
def release(
    order: MaybeOrderId = None,
    offline: Offline = None,
    counter: Counter = None,
    valid_days: ValidDays = 7,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Give all to the buyer: what a seller signs once the money has arrived.

    The coordinator adds its signature and sends the settlement. Signing cannot be taken back.

    Examples:

        otc sign release 3f9c2a
        otc sign release --offline order.json --json > signed.json
    """
    wish = Wish(order, offline, counter, valid_days, yes, api, keystore, as_json)
    sign(wish, lambda found: found.terms.amount_units, TRADERS)


@app.command()
def refund(
    order: MaybeOrderId = None,
    offline: Offline = None,
    counter: Counter = None,
    valid_days: ValidDays = 7,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Give all back to the seller: what a buyer signs to give an order up.

    A seller who waits in vain uses `otc refund request` instead.

    Example:

        otc sign refund 3f9c2a
    """
    wish = Wish(order, offline, counter, valid_days, yes, api, keystore, as_json)
    sign(wish, lambda _: 0, TRADERS)


@app.command()
def split(
    order: MaybeOrderId = None,
    to_buyer: Annotated[
        str | None, typer.Option(help="Whole tokens to the buyer before the fee, like 12.5.")
    ] = None,
    offline: Offline = None,
    counter: Counter = None,
    valid_days: ValidDays = 7,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Divide the amount: some to the buyer, the rest to the seller.

    Takes the other trader's signature, or the arbitrator's in a dispute.

    Examples:

        otc sign split 3f9c2a --to-buyer 12.5
        otc sign split 3f9c2a --counter 7
    """
    wish = Wish(order, offline, counter, valid_days, yes, api, keystore, as_json)
    sign(wish, lambda found: share_of(found, to_buyer, counter), TRADERS)


def share_of(order: "Order", to_buyer: str | None, counter: int | None) -> int:
    """Units to the buyer: as written, or as in the settlement that is co-signed."""
    if to_buyer is None:
        if counter is None:
            raise Refused("give --to-buyer AMOUNT, or --counter SETTLEMENT")
        return int(order.settlement(counter)["to_buyer_units"])
    named = {"all": order.terms.amount_units, "none": 0}
    units = named[to_buyer] if to_buyer in named else to_units(to_buyer, order.decimals)
    if units > order.terms.amount_units:
        most = amount(order, order.terms.amount_units)
        raise TermsError(f"--to-buyer is more than the order's amount, {most}")
    return units


def sign(wish: Wish, share: Share, allowed: tuple[Role, ...]) -> None:
    """Sign a settlement and hand it to the coordinator, or print it."""
    one_of(wish.order, wish.offline)
    if wish.offline is not None:
        sign_offline(wish, from_file(wish.offline), share, allowed)
        return
    with signed_in(wish.api, wish.keystore) as client:
        order = fetch(client, wish.order or "", wish.yes)
        now = latest(client.chain_time())
        units, until = agree(wish, order, client.address, share, allowed, now)
        signed = client.read(client.sign_settlement(order.facts, units, until))
        print_signed(client, signed, units, until, wish.as_json)


def sign_offline(wish: Wish, order: "Order", share: Share, allowed: tuple[Role, ...]) -> None:
    """Print a signature without a word to any server."""
    from otc_sdk import messages
    from otc_sdk.keystore import load_account
    from otc_sdk.order import Limits

    account = load_account(wish.keystore)
    order.require_safe(Limits())
    now = latest(order.chain_time)
    units, until = agree(wish, order, account.address, share, allowed, now)
    message = order.settlement_message(units, until)
    rows = {
        "order": order.id,
        "role": order.role_of(account.address).label,
        "signer": account.address,
        "to_buyer_units": str(units),
        "valid_until": until,
        "signature": "0x" + messages.sign(account, message).hex(),
    }
    show("Signed", rows, wish.as_json)


def agree(
    wish: Wish, order: "Order", signer: str, share: Share, allowed: tuple[Role, ...], now: int
) -> tuple[int, int]:
    """Units to the buyer and validity, once the user has seen and agreed to them.

    `now` and what others signed are a server's or a file's word: our own clock bounds them.
    """
    from otc_sdk.order import require_soon

    role = order.role_of(signer)
    if role not in allowed:
        other = "otc rule" if role is Role.ARBITRATOR else "otc sign"
        raise Refused(f"you are the {role.label} of this order: use {other}")
    units = share(order)
    until = now + wish.valid_days * DAY_SECONDS
    signed: set[Role] = set()
    if wish.counter is not None:
        other_one = order.settlement(wish.counter)
        require_same(order, wish.counter, int(other_one["to_buyer_units"]), units)
        until = int(other_one["valid_until"])
        signed = {Role[name.upper()] for name in other_one["signatures"]}
    if role in signed:
        raise Refused(f"you signed settlement {wish.counter} already")
    if until <= now:
        raise Refused(f"settlement {wish.counter} is no longer valid: sign a new one")
    require_soon(until)
    propose(
        f"You sign, as the {role.label}", settlement_rows(order, role, signed, units, until, now)
    )
    ask("Sign it? It cannot be taken back.", wish.yes)
    return units, until


def require_same(order: "Order", counter: int, theirs: int, mine: int) -> None:
    if theirs != mine:
        raise Refused(
            f"settlement {counter} is another one ({outcome(order, theirs)}), "
            f"not {outcome(order, mine)}"
        )


def settlement_rows(
    order: "Order", role: Role, signed: set[Role], units: int, until: int, now: int
) -> dict[str, object]:
    """Exactly what the signature says, and what it leads to."""
    terms, parts = order.terms, payout(order.terms, units)
    lacking = missing(signed | {role}, units, terms, order.state, now)
    needs = alternatives(lacking) if lacking else "somebody; nobody can complete it now"
    return {
        "outcome": outcome(order, units),
        "buyer gets": f"{amount(order, parts.buyer_units)}  {terms.buyer}",
        "fee": f"{amount(order, parts.fee_units)}  {terms.fee_recipient}",
        "seller gets": f"{amount(order, parts.seller_units)}  {terms.seller}",
        "token": terms.token,
        "valid until": moment(until, now),
        "message": f"Settlement(orderId {order.id}, toBuyer {units}, validUntil {until})",
        "escrow": f"{order.domain.escrow} on chain {order.domain.chain_id}",
        "signed by": " and ".join(r.label for r in sorted(signed)) or None,
        "still needs": needs or "nothing: it can be sent",
        "careful": warning(order, role, units),
    }


def warning(order: "Order", role: Role, units: int) -> str | None:
    early = order.facts["status"] in ("pending", "awaiting_payment")
    if role is Role.SELLER and units and early:
        return "the buyer has not said that they paid"
    if role is Role.BUYER and units < order.terms.amount_units and not early:
        return "you said that you paid; what you give up here is the seller's"
    return None


def print_signed(client: "Client", order: "Order", units: int, until: int, as_json: bool) -> None:
    """The settlement as the coordinator has it now."""
    mine = next(
        s for s in order.facts["settlements"]
        if (int(s["to_buyer_units"]), s["valid_until"]) == (units, until)
    )  # fmt: skip
    now = client.chain_time()
    signed = {Role[name.upper()] for name in mine["signatures"]}
    sets = missing(signed, units, order.terms, order.state, now)
    rows: dict[str, Any] = {
        "order": order.id,
        "status": order.facts["status"],
        "settlement": mine["id"],
        "to_buyer_units": str(units),
        "valid_until": until,
        "signed_by": list(mine["signatures"]),
        "missing": [[r.label for r in sorted(one)] for one in sets],
    }
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    people = {
        "order": order.id,
        "settlement": f"{mine['id']}, {outcome(order, units)}",
        "signed by": " and ".join(mine["signatures"]),
        "missing": alternatives(sets) or None,
        "next": after(order, sets),
    }
    show("Signed", people, False)


def after(order: "Order", sets: list[frozenset[Role]]) -> str:
    if frozenset() in sets:
        return f"it is being sent; otc order show {order.id[:12]} --watch"
    if frozenset({Role.COORDINATOR}) in sets:
        return f"the coordinator co-signs and sends it; otc order show {order.id[:12]} --watch"
    return "the other one co-signs it with --counter"
