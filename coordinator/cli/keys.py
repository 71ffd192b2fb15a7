"""Accounts: make a keystore, show its address."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.console import note, show

app = typer.Typer(
    name="keys",
    no_args_is_help=True,
    help="Make a key in an encrypted keystore, or show an account's address.",
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def create(
    path: Annotated[Path, typer.Argument(help="The new file. An existing one is refused.")],
    as_json: Json = False,
) -> None:
    """Make a new key in an encrypted keystore.

    The password is asked for twice, or comes from OTC_KEYSTORE_PASSWORD or from the file that
    OTC_KEYSTORE_PASSWORD_FILE names. Keep the file and the password apart, and a copy of both:
    nobody can restore them.

    Example:

        otc keys create ~/.otc/deployer.json
    """
    from otc_sdk import keystore

    address = keystore.create(path, keystore.new_password(path))
    note("Keep a copy of the file and of its password: nobody can restore them.")
    show("Created", {"address": address, "keystore": str(path)}, as_json)


@app.command()
def address(
    keystore: Annotated[
        Path | None, typer.Option(help="Encrypted keystore. Default: OTC_KEYSTORE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the address of the account that commands would use.

    It is that of --keystore, else of the file that OTC_KEYSTORE names, else of the private key
    in OTC_PRIVATE_KEY. A keystore is unlocked, so this proves its password, too.

    Examples:

        otc keys address --keystore ~/.otc/deployer.json
        OTC_KEYSTORE=~/.otc/deployer.json otc keys address --json
    """
    from otc_sdk.keystore import load_account

    account = load_account(keystore)
    if as_json:
        show("", {"address": account.address}, as_json)
    else:
        typer.echo(account.address)
