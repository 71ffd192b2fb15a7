"""Claims: what a token refused to pay out, withdrawn by its owner."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from otc_sdk.errors import TermsError

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
    address_in,
    ask,
    on_chain,
    order_and_account,
)
from coordinator.cli.settle import print_sent, small_json

app = typer.Typer()


@dataclass(frozen=True)
class Consent:
    """The coordinator's word that the owner's claim may go to another address."""

    order: str
    owner: str
    to: str
    valid_until: int
    signature: bytes


@app.command()
def claim(
    order: MaybeOrderId = None,
    to: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Another address than your own.")
    ] = None,
    signed: Annotated[
        Path | None, typer.Option(help="The consent to it: of `otc cosigner consent … --json`.")
    ] = None,
    offline: Offline = None,
    rpc_url: RpcUrl = None,
    yes: Yes = False,
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Withdraw a payout that the token had refused.

    To your own address once the token takes it, or at once to another one, if the coordinator
    consents: ask its operator.

    Examples:

        otc claim 3f9c2a --rpc-url https://your-node.example
        otc claim 3f9c2a --to 0xYOURS --signed consent.json --rpc-url https://your-node.example
    """
    if (to is None) != (signed is None):
        raise Refused("to another address: give both --to ADDRESS and --signed FILE")
    found, account = order_and_account(order, offline, api, keystore, yes)
    # To oneself nobody need consent.
    consent = Consent(found.id, account.address, account.address, 0, b"")
    if to is not None and signed is not None:
        consent = consent_to(replace(consent, to=address_in(to)), signed)
    chain = on_chain(found, account, rpc_url)
    ask(f"Claim what order {found.id} owes {account.address}, to {consent.to}?", yes)
    sent = chain.claim(found.terms, consent.to, consent.valid_until, consent.signature)
    print_sent("Claimed", found, sent, as_json)


def consent_to(wanted: Consent, path: Path) -> Consent:
    """The consent in a file. Raises TermsError unless it is to what is wanted.

    Its time and its signature are the chain's to judge.
    """
    given = read_consent(path)
    for name in ("order", "owner", "to"):
        said, meant = getattr(given, name), getattr(wanted, name)
        if said != meant:
            raise TermsError(f"the consent's {name} is {said}, not {meant}")
    return given


def read_consent(path: Path) -> Consent:
    """What `otc cosigner consent` printed. Raises TermsError."""
    try:
        content = small_json(path)
        return Consent(
            str(content["order"]),
            str(content["owner"]),
            str(content["to"]),
            int(content["valid_until"]),
            bytes.fromhex(content["signature"].removeprefix("0x")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise TermsError(f"{path} holds no consent by `otc cosigner consent --json`") from None
