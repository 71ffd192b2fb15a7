"""`otc status`: whether the coordinator is well, and what it is waiting for."""

import json
from typing import TYPE_CHECKING

import typer
from otc_sdk.amounts import to_text
from otc_sdk.errors import OtcError
from otc_sdk.text import plain
from rich.table import Table
from rich.text import Text

from coordinator.cli.console import err, out
from coordinator.cli.running import DataDir, settings_of
from coordinator.cli.session import Json
from coordinator.cli.words import span

if TYPE_CHECKING:
    from coordinator.cli.survey import Survey

app = typer.Typer()
UNHEALTHY = 1
CANNOT_TELL = 2
COIN_DECIMALS = 18
Rows = list[tuple[str, str]]


@app.command()
def status(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show how the coordinator stands: chain, nodes, transactions, co-signer, orders, coins.

    It reads the database, and asks the chain's node and the co-signer. It needs no key and changes
    nothing. Exit code 0: all is well; 1: something is wrong, named in the last lines; 2: cannot
    tell, because the settings or the database cannot be read.

    Examples:

        otc status

        otc status --json --data-dir /var/lib/otc
    """
    from coordinator.cli.survey import survey

    try:
        found = survey(settings_of(data_dir))
    except OtcError as error:
        err.print(Text.assemble(("cannot tell: ", "bold red"), " ".join(str(error).split())))
        raise typer.Exit(CANNOT_TELL) from None
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        show(found)
    if not found.healthy:
        raise typer.Exit(UNHEALTHY)


def show(found: "Survey") -> None:
    table = Table(show_header=False)
    for title, rows in sections(found):
        for at, (name, value) in enumerate(rows):
            table.add_row("" if at else title, name, plain(value))
        table.add_section()
    out.print(table)
    for fault in found.faults:
        out.print(Text.assemble(("wrong: ", "bold red"), plain(fault.message)))
    if found.healthy:
        out.print(Text("all is well", style="green"))


def sections(found: "Survey") -> list[tuple[str, Rows]]:
    books = found.books
    return [
        ("database", [("up", found.database)]),
        (f"chain {books.chain_id}", chain_rows(found)),
        ("nodes", [(node.name, f"{node.state} {node.reason}".strip()) for node in books.nodes]),
        ("orders", counts(books.orders)),
        ("settlements wait for", counts(books.waiting)),
        ("transactions", intent_rows(found)),
        ("sender", sender_rows(found)),
        ("co-signer", [(found.cosigner, "")]),
    ]


def chain_rows(found: "Survey") -> Rows:
    facts = found.to_dict()["chain"]
    rows = [
        ("head", f"{shown(facts['head'])}, final {shown(facts['final'])}"),
        ("read", f"{shown(facts['read'])}, final {shown(facts['read_final'])}"),
    ]
    if facts["lag_seconds"] is not None:
        blocks = shown(facts["lag_blocks"])
        rows.append(("behind", f"{blocks} blocks; the newest read is {facts['lag_seconds']} s old"))
    if facts["halted"]:
        rows.append(("halted", facts["halted"]))
    return rows


def intent_rows(found: "Survey") -> Rows:
    books = found.books
    stuck = [
        (i.key, f"{i.status} for {span(i.age_seconds)}: {i.reason or 'no reason known'}")
        for i in books.stuck
    ]
    rows = [*counts(books.intents), *stuck]
    if books.gas_saved_of_day:
        rows.append(("saved by batches", f"{books.gas_saved_of_day:,} gas in 24 hours"))
    return rows


def sender_rows(found: "Survey") -> Rows:
    return [
        (s.address, f"{to_text(s.balance_wei, COIN_DECIMALS)} coins, nonce {s.nonce}")
        for s in found.senders
    ]


def counts(by_name: dict[str, int]) -> Rows:
    """What there is; the rest is not worth a line."""
    return [(name, str(count)) for name, count in by_name.items() if count] or [("none", "")]


def shown(number: int | None) -> str:
    return "unknown" if number is None else str(number)
