"""What a running stack's settings are, for commands that look at it or operate it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from otc_sdk.errors import OtcError

FILE = "settings.json"
MAX_BYTES = 64 * 1024


def write(folder: Path, environment: Mapping[str, str]) -> None:
    """Keep the settings beside the keystores. URLs may hold passwords: for the owner alone."""
    path = folder / FILE
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(dict(environment), file, indent=2)


def remove(folder: Path) -> None:
    (folder / FILE).unlink(missing_ok=True)


def read(folder: Path) -> dict[str, str]:
    """The environment of the stack's processes, without secrets. Raises OtcError if none runs."""
    path = folder / FILE
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(MAX_BYTES))
    except FileNotFoundError:
        raise OtcError(f"no stack runs in {folder}: there is no {path}") from None
    except (OSError, ValueError) as error:
        raise OtcError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise OtcError(f"cannot read {path}: not an object")
    return {str(name): str(value) for name, value in found.items()}
