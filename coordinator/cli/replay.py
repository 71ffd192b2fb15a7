"""`otc replay`: whether the books are what the chain adds up to."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from otc_sdk.errors import OtcError
from otc_sdk.text import plain
from rich.progress import Progress
from rich.table import Table

from coordinator.cli.chain import opened
from coordinator.cli.console import err, out
from coordinator.cli.running import DataDir, settings_of
from coordinator.cli.session import Json

if TYPE_CHECKING:
    from coordinator.workers.replay import Replay

app = typer.Typer()
DIFFERS = 1
MAX_SHOWN = 200


@app.command()
def replay(
    from_block: Annotated[int, typer.Option("--from", help="The first block to read again.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Read the chain again from a block, and compare what it adds up to with the books.

    Logs, ledger, projections and what they leave each order's status are rebuilt in memory from
    what all nodes say of the final blocks, and of those above them that the books have seen.
    Nothing is written, and it can be interrupted and run beside the coordinator. Exit code 1 if
    anything differs.

    Examples:

        otc replay --from 19000000

        otc replay --from 0 --json --data-dir .otc
    """
    from coordinator.adapters.chain.nodes import Agreed
    from coordinator.bootstrap.nodes import build_pool
    from coordinator.bootstrap.platform import build_platform
    from coordinator.services.ports import NodeDown
    from coordinator.workers.replay import replay as run

    chain_id = settings_of(data_dir).chain_id
    with opened(chain_id, data_dir) as (settings, engine), Progress(console=err) as bar:
        task = bar.add_task("blocks", total=None)
        try:
            platform = build_platform(settings)
            node = Agreed(build_pool(settings))
            found = run(
                engine, platform, node, from_block,
                lambda done, total: bar.update(task, completed=done, total=total),
            )  # fmt: skip
        except NodeDown as error:
            raise OtcError(str(error)) from error
    show(found, as_json)
    if found.differences:
        raise typer.Exit(DIFFERS)


def show(found: "Replay", as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    if found.differences:
        table = Table("what", "where", "in the books", "on chain")
        for one in found.differences[:MAX_SHOWN]:
            table.add_row(*map(plain, (one.kind, one.where, one.books, one.chain)))
        out.print(table)
    if found.seen < found.head:
        out.print(
            f"blocks {found.seen + 1} to {found.head} are taken from the books: they are too many, "
            "or not all nodes have them"
        )
    out.print(
        f"blocks {found.first} to {found.seen} (final to {found.last}), {found.logs} logs: "
        f"{len(found.differences)} differences"
    )
