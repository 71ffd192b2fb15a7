"""`otc up`: the whole stack, until Ctrl-C."""

import os
from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.console import note, show

app = typer.Typer()


@app.command()
def up(
    port: Annotated[int, typer.Option(help="The API's port on loopback.")] = 8000,
    rpc_port: Annotated[int, typer.Option(help="The local chain's port.")] = 8545,
    rpc_url: Annotated[
        str | None, typer.Option(help="A chain that exists already, instead of anvil.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="The ERC-20 token to trade; needed with --rpc-url.")
    ] = None,
    arbitrator: Annotated[
        str | None, typer.Option(help="Who rules on disputes; default: a new keystore.")
    ] = None,
    data_dir: Annotated[
        Path, typer.Option(help="Database, chain state, keystores and logs.")
    ] = Path(".otc"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line when ready.")
    ] = False,
) -> None:
    """Run database, chain, contracts, API and workers here, until Ctrl-C.

    Without options everything is local: embedded PostgreSQL, anvil, a USDT-like token and funded
    demo accounts. State stays in --data-dir; the next start resumes where this one stops. Set
    DATABASE_URL for a PostgreSQL server of your own.

    Examples:

        otc up

        otc up --rpc-url https://… --token 0x… --arbitrator 0x…
    """
    from coordinator.stack.stack import Options, Stack

    options = Options(
        data_dir=data_dir,
        api_port=port,
        rpc_port=rpc_port,
        rpc_url=rpc_url,
        token=token,
        arbitrator=arbitrator,
        database_url=os.environ.get("DATABASE_URL"),
    )
    with Stack(options, note) as stack:
        ready = stack.start()
        if as_json:
            typer.echo(ready.to_json())
        else:
            show("Ready; Ctrl-C ends it", {"API page": f"{ready.api}/docs", **vars(ready)}, False)
        try:
            stack.supervise(lambda: False)
        except KeyboardInterrupt:
            note("ending")
