"""What people see: one console for results, one for everything else, one boundary for errors."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer
from otc_sdk.errors import OtcError
from otc_sdk.text import plain
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup
from typer.exceptions import TyperException

# Results go to standard output, so that they can be piped; notes and errors do not.
# soft_wrap keeps a message on one line: logs and pipes cut at lines, terminals wrap by themselves.
out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)

INTERRUPTED = 130


class Boundary(TyperGroup):
    """Ends every command: a fault that has a name becomes one line and exit code 1.

    A wrong argument, which may be a key, is not repeated. Anything else is a bug and keeps its
    traceback.
    """

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        with keys_hidden():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: Any) -> Any:
        try:
            with keys_hidden():
                return super().invoke(ctx)
        except OtcError as error:
            message = plain(" ".join(str(error).split()))
            err.print(Text.assemble(("error: ", "bold red"), message))
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            err.print("interrupted")
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def keys_hidden() -> Iterator[None]:
    """What the parser says of wrong arguments, without what looks like a private key."""
    try:
        yield
    except TyperException as error:
        from otc_sdk.keystore import hide_keys

        said = vars(error)
        if isinstance(said.get("message"), str):
            said["message"] = hide_keys(said["message"])
        raise


def note(message: str) -> None:
    """Say what is going on, on standard error."""
    err.print(Text(plain(message)))


def show(title: str, rows: Mapping[str, object], as_json: bool) -> None:
    """Print a result: as lines for people, without the nulls, or as one JSON object."""
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    shown = {name.replace("_", " "): value for name, value in rows.items() if value is not None}
    width = max(map(len, shown))
    out.print(Text(title, style="bold"))
    for name, value in shown.items():
        out.print(Text.assemble((name.ljust(width + 2), "dim"), plain(value)))
