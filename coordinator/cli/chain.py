"""Chains: what their nodes say, and the operator's halt and resume."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from otc_sdk.chain import public_part
from otc_sdk.errors import ChainError, OtcError
from otc_sdk.text import plain
from rich.table import Table

from coordinator.cli.console import err, show
from coordinator.cli.running import DataDir, settings_of
from coordinator.cli.session import Json, Refused, Yes, ask

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from coordinator.db.chain import Cursor
    from coordinator.settings import Settings

app = typer.Typer(
    name="chain", no_args_is_help=True, help="Halt a chain, see what differs, let it go on."
)
MAX_HISTORY = 20
Why = Annotated[str, typer.Option(help="Why; it is kept.")]
ChainId = Annotated[int, typer.Option("--chain", help="Its id, so that it is no other one.")]


@dataclass(frozen=True)
class Answer:
    """What a node says of the books' newest final block; `hash` is None if it does not know it."""

    node: str
    hash: str | None
    same: bool
    fault: str = ""


@app.command("show")
def show_chain(chain: ChainId, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show what each node says of the newest final block in the books, and former halts.

    Example:

        otc chain show --chain 1
    """
    from coordinator.db.session import transaction
    from coordinator.services import halting

    with opened(chain, data_dir) as (settings, engine):
        cursor, answers = compare(settings, engine)
        with transaction(engine) as session:
            past = [row.model_dump() for row in halting.history(session, chain, MAX_HISTORY)]
    rows: dict[str, Any] = {
        "halted": cursor.halted or "no",
        "read": cursor.number,
        "final": cursor.final_number,
        "final_hash": cursor.final_hash,
    }
    if as_json:
        nodes = [asdict(answer) for answer in answers]
        show("", {**rows, "halted": cursor.halted, "nodes": nodes, "history": past}, True)
        return
    show(f"Chain {chain}", {name: plain(value) for name, value in rows.items()}, False)
    show_answers(answers)
    for row in past:
        err.print(f"{row['at']} {row['event']}: {plain(row['reason'])}", markup=False)


@app.command()
def halt(chain: ChainId, why: Why, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Stop everything on a chain that cannot be undone, at once.

    No order is placed, no buyer is told to pay, nothing is co-signed, no settlement is sent.
    Disputes are sent, since they defend somebody. What is in flight stays in flight, and traders
    can end their orders without the coordinator. A co-signer with a database of its own does not
    see it: `otc cosigner stop` there.

    Example:

        otc chain halt --chain 1 --why "our node was taken over"
    """
    from coordinator.db.session import transaction
    from coordinator.services import halting

    with opened(chain, data_dir) as (_, engine), transaction(engine) as session:
        halting.halt(session, chain, why)
    show("Halted", {"chain": chain, "why": why}, as_json)


@app.command()
def resume(
    chain: ChainId, why: Why, data_dir: DataDir = None, yes: Yes = False, as_json: Json = False
) -> None:
    """Let a halted chain go on, after showing what every node says of the newest final block.

    Refused while a node contradicts the books: the chain would be halted again at once. See
    docs/operations/halt.md.

    Example:

        otc chain resume --chain 1 --why "the node at 10.0.0.7 was on a fork; it is replaced"
    """
    from coordinator.db.session import transaction
    from coordinator.services import halting

    with opened(chain, data_dir) as (settings, engine):
        cursor, answers = compare(settings, engine)
        if cursor.halted is None:
            raise Refused(f"chain {chain} is not halted")
        if not as_json:
            show_answers(answers)
        require_same(answers)
        ask(f"Chain {chain} was halted: {plain(cursor.halted)}. Let it go on?", yes)
        with transaction(engine) as session:
            halting.resume(session, chain, why)
    show("Resumed", {"chain": chain, "was": plain(cursor.halted), "why": why}, as_json)


@contextmanager
def opened(chain: int, data_dir: Any) -> "Iterator[tuple[Settings, Engine]]":
    """The coordinator's settings and database. Raises OtcError, also for what its rules refuse."""
    from coordinator.bootstrap.database import build_engine
    from coordinator.db.session import DatabaseDown
    from coordinator.domain.errors import Refused as RefusedByRules

    settings = settings_of(data_dir)
    if settings.chain_id != chain:
        raise Refused(f"this coordinator is on chain {settings.chain_id}, not {chain}")
    try:
        engine = build_engine(settings)
    except DatabaseDown as error:
        raise OtcError(str(error)) from error
    try:
        yield settings, engine
    except RefusedByRules as refusal:
        raise Refused(refusal.message) from refusal
    finally:
        engine.dispose()


def compare(settings: "Settings", engine: "Engine") -> "tuple[Cursor, list[Answer]]":
    """The books' place, and what every node says of it."""
    from coordinator.db.chain import Cursor
    from coordinator.db.session import transaction

    with transaction(engine) as session:
        cursor = session.get(Cursor, settings.chain_id)
    if cursor is None:
        raise Refused(f"chain {settings.chain_id} was never read")
    return cursor, [answer(url, settings, cursor) for url in settings.rpc_urls]


def answer(rpc_url: str, settings: "Settings", cursor: "Cursor") -> Answer:
    from coordinator.bootstrap.nodes import open_node
    from coordinator.services.ports import NodeDown

    name = public_part(rpc_url)
    try:
        header = open_node(rpc_url, settings).header(cursor.final_number)
    except (NodeDown, ChainError) as error:
        return Answer(name, None, False, str(error))
    if header is None:
        return Answer(name, None, False, f"it has not come to block {cursor.final_number}")
    return Answer(name, header.hash, header.hash == cursor.final_hash)


def require_same(answers: list[Answer]) -> None:
    wrong = next((one for one in answers if not one.same), None)
    if wrong is not None:
        fault = wrong.fault or f"it says {wrong.hash}"
        raise Refused(f"the node {wrong.node} does not confirm the newest final block: {fault}")


def show_answers(answers: list[Answer]) -> None:
    table = Table("node", "its final block", "as in the books")
    for one in answers:
        table.add_row(plain(one.node), plain(one.hash or one.fault), "yes" if one.same else "NO")
    err.print(table)
