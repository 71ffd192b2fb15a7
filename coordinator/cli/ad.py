"""Ads: post, list, close."""

import json
from typing import Annotated

import typer
from otc_sdk.amounts import to_text, to_units
from otc_sdk.fiat import minor_digits
from otc_sdk.text import plain
from rich.table import Table
from rich.text import Text

from coordinator.cli import words
from coordinator.cli.console import out, show
from coordinator.cli.order import price
from coordinator.cli.session import API_URL, ApiUrl, Json, Keystore, signed_in
from coordinator.cli.words import fiat, short

app = typer.Typer(name="ad", no_args_is_help=True, help="Post, list and close ads.")

Fiat = Annotated[str, typer.Option("--fiat", help="The currency, like EUR.")]
SIDE = "What the maker does: buy or sell the token."


@app.command()
def post(
    side: Annotated[str, typer.Option(help="What you do: buy or sell the token.")],
    fiat_code: Fiat,
    per_token: Annotated[str, typer.Option("--price", help="Fiat for one whole token.")],
    tokens: Annotated[str, typer.Option("--amount", help="Whole tokens in all, like 1000.")],
    least: Annotated[str, typer.Option("--min", help="The least fiat of an order, like 10.")],
    most: Annotated[str, typer.Option("--max", help="The most fiat of an order.")],
    methods: Annotated[list[str], typer.Option("--method", help="Payment method; repeatable.")],
    pay_minutes: Annotated[int, typer.Option(help="How long the buyer has to pay.")] = 15,
    instructions: Annotated[str, typer.Option(help="Shown to takers after they took it.")] = "",
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Post an ad.

    Example:

        otc ad post --side sell --fiat EUR --price 0.93 --amount 1000 --min 10 --max 500
        --method sepa --instructions "IBAN DE00 …, name your order"
    """
    digits = minor_digits(fiat_code)
    with signed_in(api, keystore) as client:
        ad = {
            "side": side,
            "fiat": fiat_code,
            "price": price(per_token),
            "available_units": str(to_units(tokens, client.platform["token_decimals"])),
            "min_fiat_minor": str(to_units(least, digits)),
            "max_fiat_minor": str(to_units(most, digits)),
            "payment_methods": methods,
            "pay_by_seconds": pay_minutes * 60,
            "instructions": instructions,
        }
        posted = client.post_ad(ad)
    if as_json:
        typer.echo(json.dumps(posted, indent=2))
    else:
        rows = {"ad": posted["id"], "close it by": f"otc ad close {posted['id']}"}
        show("Posted", rows, False)


@app.command("list")
def list_ads(
    side: Annotated[str, typer.Option(help=SIDE)],
    fiat_code: Fiat,
    method: Annotated[str | None, typer.Option(help="Only with this payment method.")] = None,
    api: ApiUrl = API_URL,
    as_json: Json = False,
) -> None:
    """List open ads, the best for a taker first. Needs no account.

    Example:

        otc ad list --side sell --fiat EUR --method sepa
    """
    from otc_sdk.api import Api

    with Api(api) as anyone:
        ads = anyone.ads(side, fiat_code, method)
        decimals, symbol = anyone.platform["token_decimals"], anyone.platform["token_symbol"]
    if as_json:
        typer.echo(json.dumps(ads, indent=2))
        return
    if not ads:
        out.print("No open ads.")
        return
    table = Table()
    for name in (
        "ad",
        "price",
        "left",
        f"{plain(fiat_code)} an order",
        "methods",
        "pay in",
        "maker",
    ):
        table.add_column(name)
    for ad in ads:
        left = to_text(int(ad["available_units"]), decimals)
        low, high = (fiat(int(ad[f"{end}_fiat_minor"]), ad["fiat"])[:-4] for end in ("min", "max"))
        cells = (ad["id"], words.price(ad["price"]), f"{left} {symbol}", f"{low} – {high}",
                 ", ".join(ad["payment_methods"]), f"{ad['pay_by_seconds'] // 60} min",
                 short(ad["maker"]))  # fmt: skip
        table.add_row(*(Text(plain(cell)) for cell in cells))
    out.print(table)


@app.command()
def close(
    ad: Annotated[int, typer.Argument(help="Its number.")],
    api: ApiUrl = API_URL,
    keystore: Keystore = None,
    as_json: Json = False,
) -> None:
    """Close an ad of yours. Its open orders go on.

    Example:

        otc ad close 7
    """
    with signed_in(api, keystore) as client:
        closed = client.close_ad(ad)
    if as_json:
        typer.echo(json.dumps(closed, indent=2))
    else:
        show("Closed", {"ad": closed["id"], "status": closed["status"]}, False)
