"""`otc demo`: five orders to their five ends, on a stack of their own."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from coordinator.cli.console import note, out

if TYPE_CHECKING:
    from coordinator.demo.demo import Balance, Demo
    from coordinator.demo.timeline import Event
    from coordinator.stack.stack import Stack

app = typer.Typer()
# The demo is watched: its processes look more often than others do.
POLL_SECONDS = "0.1"
COLORS = {"a": "green", "b": "cyan", "c": "yellow", "d": "magenta", "e": "blue", "-": "white"}


@app.command()
def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the timeline.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep database, chain and logs here; default: thrown away.")
    ] = None,
) -> None:
    """Watch five orders go through a real chain and a real database, and check every balance.

    (a) release after payment, (b) refund by agreement, (c) the seller reclaims alone after the
    pay-by time, (d) the watchtower defends a buyer who paid, (e) a split ruling. The local chain's
    clock is moved past the deadlines. Exits with 1 if any balance differs by any unit.
    """
    from coordinator.demo.demo import Demo
    from coordinator.demo.timeline import Timeline
    from coordinator.stack.ports import free_port
    from coordinator.stack.stack import Options, Stack

    with tempfile.TemporaryDirectory(prefix="otc-demo-", ignore_cleanup_errors=True) as scratch:
        options = Options(
            data_dir=data_dir or Path(scratch),
            api_port=free_port(),
            rpc_port=free_port(),
            settings={"OTC_POLL_SECONDS": POLL_SECONDS},
        )
        with Stack(options, note) as stack:
            played = Demo(stack, stack.start(), Timeline(hush if as_json else show_event))
            balances = watch(stack, played)
            result = played.result(balances)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
    else:
        show_balances(balances, result["seconds"])
    if not result["ok"]:
        raise typer.Exit(1)


def watch(stack: "Stack", played: "Demo") -> "list[Balance]":
    """Play it while the stack is looked after from here."""
    from coordinator.demo.threads import start

    playing = start(played.run)
    stack.supervise(playing.done)
    return playing.result()  # type: ignore[no-any-return]


def hush(_event: "Event") -> None:
    """JSON has the timeline at its end."""


def show_event(event: "Event") -> None:
    chain = f"  {event.tx_hash[:10]}…  {event.gas:,} gas" if event.tx_hash else ""
    out.print(
        Text.assemble(
            (f"{event.seconds:6.1f}s ", "dim"),
            (f" {event.order} ", f"bold {COLORS[event.order]}"),
            (f" {event.who:<12}", COLORS[event.order]),
            f" {event.what}",
            (chain, "dim"),
        )
    )


def show_balances(balances: "list[Balance]", seconds: float) -> None:
    table = Table(title="Balances in USDT, against the chain")
    for name in ("who", "before", "expected", "on chain", ""):
        table.add_column(name, justify="left" if name in ("who", "") else "right")
    for b in balances:
        equal = b.expected_units == b.after_units
        amounts = (b.before_units, b.expected_units, b.after_units)
        table.add_row(b.name, *(f"{a / 10**6:,.6f}" for a in amounts), "=" if equal else "DIFFERS")
    out.print(table)
    wrong = sum(b.expected_units != b.after_units for b in balances)
    out.print(f"{wrong} differences; {seconds} seconds")
