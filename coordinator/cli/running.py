"""Which coordinator an operator's command is about: of the environment, or of `otc up`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from otc_sdk.errors import OtcError

if TYPE_CHECKING:
    from coordinator.settings import Settings

DEFAULT_DATA_DIR = Path(".otc")

DataDir = Annotated[
    Path | None,
    typer.Option(help="Of a running `otc up`. Default: the settings in the environment, or .otc."),
]


def settings_of(data_dir: Path | None) -> "Settings":
    """Settings of a coordinator. Keys are not needed and not read. Raises OtcError."""
    from coordinator.stack import running

    environ: Mapping[str, str] = os.environ
    if data_dir is not None or "OTC_CHAIN_ID" not in environ:
        environ = running.read(data_dir or DEFAULT_DATA_DIR)
    return checked(environ)


def checked(environ: Mapping[str, str]) -> "Settings":
    """Settings from these variables. Raises OtcError, whose words hold no value."""
    from pydantic import ValidationError

    from coordinator.settings import settings_from

    try:
        return settings_from(environ)
    except ValidationError as error:
        fault = error.errors()[0]
        raise OtcError(f"the setting {fault['loc'][0]}: {fault['msg']}") from None
