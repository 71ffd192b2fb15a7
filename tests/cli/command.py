"""The `otc` command as a user meets it."""

import sys
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

OTC = Path(sys.executable).with_name("otc")
# Runs `otc` in this process; keyword arguments are environment variables.
Otc = Callable[..., Result]


def refused(result: Result, *words: str) -> None:
    """The command failed as promised: one line on stderr, exit code 1, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert not result.stdout
    for word in words:
        assert word in lines[0], lines[0]
