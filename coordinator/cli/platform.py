"""What is known of a coordinator: shown, accepted when it changes, pinned from a file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from otc_sdk.errors import TermsError

from coordinator.cli.console import note, show
from coordinator.cli.session import API_URL, ApiUrl, Json, Yes, ask, propose

app = typer.Typer(
    name="platform",
    no_args_is_help=True,
    help="The coordinator's chain, contracts, parties and fee, as you know them.",
)


@app.command("show")
def show_known(api: ApiUrl = API_URL, as_json: Json = False) -> None:
    """Show what you know of a coordinator. Nothing else is signed. Asks no server.

    Examples:

        otc platform show
        otc platform show --json > platform.json
    """
    from otc_sdk import known_platforms

    found = known_platforms.known(api)
    if not found:
        raise TermsError(f"nothing is known of {api}: otc platform accept, or otc platform pin")
    show(f"Known of {api}", asdict(found[0]), as_json)


@app.command()
def accept(api: ApiUrl = API_URL, yes: Yes = False, as_json: Json = False) -> None:
    """Take what the coordinator says of itself now, in place of what you knew.

    Ask its operator first, by another way than the coordinator: whoever took it over could name a
    token, an arbitrator or a fee recipient of their own. Orders of before stay what they were.

    Example:

        otc platform accept
    """
    from otc_sdk import known_platforms
    from otc_sdk.api import Api
    from otc_sdk.platform import Platform

    with Api(api) as anyone:
        told = Platform.read(anyone.platform)
    known_platforms.require_this_build(told)
    before = known_platforms.known(api)
    changes = before[0].changes(told) if before else []
    propose(f"{api} says of itself", {**asdict(told), "changed": "; ".join(changes) or None})
    ask("Is that what its operator told you?", yes)
    note(f"written to {known_platforms.remember(api, told)}")
    show("Accepted", asdict(told), as_json)


@app.command()
def pin(
    file: Annotated[Path, typer.Argument(help="JSON by `otc platform show --json`.")],
    api: ApiUrl = API_URL,
    as_json: Json = False,
) -> None:
    """Know a coordinator from a file that came by another way, before its first use.

    Example:

        otc platform pin platform.json --api https://coordinator.example
    """
    from otc_sdk import known_platforms
    from otc_sdk.platform import load

    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TermsError(f"cannot read {file}: {error}") from error
    given = load(text)[0]
    note(f"written to {known_platforms.remember(api, given)}")
    show("Pinned", asdict(given), as_json)
