"""A chain, the `otc` command, and nothing of the developer's own settings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coordinator.cli import app
from tests.cli.command import Otc
from tests.cli.node import Node, running


@pytest.fixture
def chain() -> Iterator[Node]:
    with running() as node:
        yield node


@pytest.fixture
def otc() -> Otc:
    runner = CliRunner()
    return lambda *arguments, **env: runner.invoke(app, [str(a) for a in arguments], env=env)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings or folder."""
    for name in os.environ:
        if name.startswith("OTC_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
