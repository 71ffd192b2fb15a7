"""Fixtures of every suite: one chain and one database per test worker."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.chain",
    "tests.database",
    "tests.world",
    "tests.sender_books",
    "tests.cli.operator",
]

# A busy machine is no fault of the code.
settings.register_profile("calm", deadline=None)
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test knows the platforms that the developer knows, or writes among them."""
    monkeypatch.setenv("OTC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OTC_PLATFORM", raising=False)
