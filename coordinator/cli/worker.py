"""`otc worker NAME`: one process of the coordinator, in the foreground."""

import os
import signal
import threading
from typing import Annotated

import typer

from coordinator.cli.running import checked

app = typer.Typer()
NAMES = ("cosigner", "watcher", "sender", "keeper", "api")


def known(name: str) -> str:
    if name not in NAMES:
        raise typer.BadParameter(f"unknown; choose one of {', '.join(NAMES)}")
    return name


@app.command()
def worker(
    name: Annotated[str, typer.Argument(help=", ".join(NAMES), callback=known)],
) -> None:
    """Run one process of the coordinator until SIGINT or SIGTERM.

    Settings come from the environment: DATABASE_URL and the OTC_ variables, listed in
    docs/operations/settings.md. `otc up` starts all of them.
    """
    from coordinator.bootstrap.process import run_process

    settings = checked(os.environ)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    run_process(name, settings, stop)
