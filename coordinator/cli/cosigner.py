"""What a person does at the co-signer: turn its switch, judge, consent."""

import getpass
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from otc_sdk.errors import OtcError
from otc_sdk.roles import Role

from coordinator.cli.console import show
from coordinator.cli.running import DataDir, settings_of
from coordinator.cli.session import Json, Offline, Yes, address_in, ask, from_file
from coordinator.cli.settle import gather, read_signed
from coordinator.cli.sign import ValidDays
from coordinator.cli.words import outcome

if TYPE_CHECKING:
    from sqlalchemy import Engine

app = typer.Typer(
    name="cosigner",
    no_args_is_help=True,
    help="Stop all co-signing, resume it, show how it stands; judge; consent to a claim.",
)

Why = Annotated[str, typer.Option("--why", help="The reason; it is kept and shown.")]


@app.command()
def stop(why: Why, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Stop all co-signing. When this returns, no signature is under way any more.

    Requests wait meanwhile; none is lost. It needs only the co-signer's database:
    OTC_COSIGNER_DATABASE_URL, else DATABASE_URL. Should that be out of reach or not be trusted,
    make the file that OTC_COSIGNER_STOP_FILE names on the co-signer's machine: it stops, too.

    Example:

        otc cosigner stop --why "releases nobody asked for"
    """
    turn(True, why, data_dir, as_json)


@app.command()
def resume(why: Why, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let it sign again, unless the file of OTC_COSIGNER_STOP_FILE is still there.

    Example:

        otc cosigner resume --why "was a false alarm"
    """
    turn(False, why, data_dir, as_json)


@app.command()
def status(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show whether the co-signer signs, who turned the switch last, and why.

    It is the switch in the database; the co-signer's own `GET /health` knows its file, too.
    """
    from coordinator.db.session import transaction
    from coordinator.services.cosigner_switch import newest

    with books(data_dir) as engine, transaction(engine) as session:
        last = newest(session)
    rows: dict[str, object] = {"stopped": last is not None and last.stopped}
    if last is not None:
        rows |= {"why": last.why, "by": last.by, "at": last.at}
    show("Co-signer", rows, as_json)


@app.command()
def judge(
    offline: Offline,
    signed: Annotated[
        Path, typer.Option(help="A trader's `otc sign … --offline … --json`: what you agree to.")
    ],
    why: Why,
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Sign, as the coordinator, what a trader signed: a dispute that the arbitrator left.

    Only a person does this, on the co-signer's machine, with its settings and key: the co-signer
    itself never judges. The order must be disputed in a final block and the ruling window be over;
    the trader brings both signatures to the chain with `otc settle`.

    Example:

        otc cosigner judge --offline order.json --signed seller.json --why "no proof of payment"
        --json > judgement.json
    """
    from coordinator.bootstrap.cosigner import judge_by_hand
    from coordinator.services.ports import CosignRequest

    if offline is None:
        raise OtcError("give the order's file: --offline FILE")
    order, given = from_file(offline), read_signed(signed)
    units, until, signatures = gather(order, [given])
    [(role, signature)] = signatures.items()
    request = CosignRequest(order.terms.to_dict(), units, until, "0x" + signature.hex())
    ask(f"Judge order {order.id}, {outcome(order, units)}, as the {role.label} signed?", yes)
    with failures(), redirect_stdout(sys.stderr):  # logs must not mix with the result
        made = judge_by_hand(settings_of(data_dir), request, role, why, person())
    rows = {
        "order": order.id,
        "role": Role.COORDINATOR.label,
        "signer": order.terms.coordinator,
        "to_buyer_units": str(units),
        "valid_until": until,
        "signature": made,
    }
    show("Judged", rows, as_json)


@app.command()
def consent(
    offline: Offline,
    owner: Annotated[str, typer.Option(help="Whose claim: buyer, seller or fee recipient.")],
    to: Annotated[str, typer.Option(help="Where it may go; make sure whose address that is.")],
    why: Annotated[str, typer.Option(help="The reason; it is printed with the signature.")],
    valid_days: ValidDays = 7,
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Sign, as the coordinator, that a claim may go to another address than its owner's.

    A claim is a payout that the token refused. Only a person does this, on the co-signer's
    machine, with its settings and key: the co-signer itself never does. The owner alone can use
    the signature, with `otc claim --to`.

    Example:

        otc cosigner consent --offline order.json --owner 0xOWNER --to 0xOTHER --why "frozen wallet"
        --json > consent.json
    """
    from coordinator.cli.consenting import propose_consent, sign_consent

    if offline is None:
        raise OtcError("give the order's file: --offline FILE")
    order, settings = from_file(offline), settings_of(data_dir)
    owner, to = address_in(owner), address_in(to)
    with failures(), redirect_stdout(sys.stderr):  # logs must not mix with the result
        until = propose_consent(settings, order, owner, to, valid_days)
        ask("Sign it? The owner can use it until then.", yes)
        signature = sign_consent(settings, order, owner, to, until, why)
    rows = {
        "order": order.id,
        "owner": owner,
        "to": to,
        "valid_until": until,
        "signer": order.terms.coordinator,
        "signature": signature,
        "why": why,
        "by": person(),
    }
    show("Consented", rows, as_json)


def person() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def turn(stop: bool, why: str, data_dir: Path | None, as_json: bool) -> None:
    from coordinator.services import cosigner_switch

    by = person()
    with books(data_dir) as engine:
        cosigner_switch.turn(engine, stop, why, by, int(time.time()))
    show("Stopped" if stop else "Resumed", {"stopped": stop, "why": why, "by": by}, as_json)


@contextmanager
def books(data_dir: Path | None) -> Iterator["Engine"]:
    """The co-signer's database. Raises OtcError for what goes wrong with it."""
    from coordinator.db.session import make_engine, require_up

    name, url = url_of_books(data_dir)
    try:
        engine = make_engine(url)
    except ValueError as error:
        raise OtcError(f"{name} {error}") from None
    try:
        with failures():
            require_up(engine)
            yield engine
    finally:
        engine.dispose()


@contextmanager
def failures() -> Iterator[None]:
    """Turn refusals and what is down into one OtcError."""
    from sqlalchemy.exc import DBAPIError

    from coordinator.db.session import DatabaseDown
    from coordinator.domain.errors import Refused
    from coordinator.services.ports import KeyDown, NodeDown

    try:
        yield
    except (DatabaseDown, KeyDown, NodeDown, Refused) as error:
        raise OtcError(str(error)) from error
    except DBAPIError as error:
        raise OtcError(f"the co-signer's database: {error.orig}") from error


def url_of_books(data_dir: Path | None) -> tuple[str, str]:
    """(whose it is, URL), of the environment whatever other settings it lacks: a stop must not
    wait for them.
    """
    if data_dir is None:
        for name in ("OTC_COSIGNER_DATABASE_URL", "DATABASE_URL"):
            if os.environ.get(name):
                return name, os.environ[name]
    return "the co-signer's database", settings_of(data_dir).cosigner_books_url
