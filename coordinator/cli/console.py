"""What people see: one console for results, one for everything else, one boundary for errors."""

import json
from collections.abc import Mapping
from typing import Any

import typer
from otc_sdk.errors import OtcError
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

# Results go to standard output, so that they can be piped; notes and errors do not.
# soft_wrap keeps a message on one line: logs and pipes cut at lines, terminals wrap by themselves.
out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)

INTERRUPTED = 130


class Boundary(TyperGroup):
    """Ends every command: a fault that has a name becomes one line and exit code 1.

    Anything else is a bug and keeps its traceback.
    """

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except OtcError as error:
            message = " ".join(str(error).split())
            err.print(Text.assemble(("error: ", "bold red"), message))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(INTERRUPTED) from None


def note(message: str) -> None:
    """Say what is going on, on standard error."""
    err.print(Text(message))


def show(title: str, rows: Mapping[str, object], as_json: bool) -> None:
    """Print a result: as lines for people, without the nulls, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    shown = {name.replace("_", " "): value for name, value in rows.items() if value is not None}
    width = max(map(len, shown))
    out.print(Text(title, style="bold"))
    for name, value in shown.items():
        out.print(Text.assemble((name.ljust(width + 2), "dim"), str(value)))
