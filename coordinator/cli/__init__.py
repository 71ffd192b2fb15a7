"""The `otc` command. One module a noun; each has a Typer app of its commands.

Modules import what is slow (web3, a database) inside their commands, so that help is quick.
"""

from importlib.metadata import version
from typing import Annotated

import typer

from coordinator.cli import (
    ad,
    chain,
    claim,
    cosigner,
    demo,
    deploy,
    dispute,
    keys,
    order,
    platform,
    refund,
    replay,
    settle,
    sign,
    status,
    up,
    worker,
)
from coordinator.cli.console import Boundary

# A named app becomes a group (`otc keys create`), one without a name adds its commands to `otc`.
NOUNS = (
    ad.app,
    chain.app,
    claim.app,
    cosigner.app,
    demo.app,
    deploy.app,
    dispute.app,
    keys.app,
    order.app,
    platform.app,
    refund.app,
    replay.app,
    settle.app,
    sign.app,
    status.app,
    up.app,
    worker.app,
)

app = typer.Typer(
    cls=Boundary,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # locals may be keys
    rich_markup_mode="markdown",
)


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("otc-escrow"))
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Non-custodial OTC escrow: deploy it, run it, trade on it.

    Start with `otc deploy --help`.
    """


for noun in NOUNS:
    app.add_typer(noun)
