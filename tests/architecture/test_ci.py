"""What CI runs twice is the same both times."""

import os
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[2] / ".ci" / "run"
# Says with which seed it was called; the tests of the first run fail.
STUB = '#!/bin/sh\necho "$0 $1 CRASH_SEED=$CRASH_SEED"\n[ "$1" != test-python ]\n'


def stub(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STUB)
    path.chmod(0o755)


def seeds(folder: Path, **environ: str) -> list[str]:
    """Of the first run of the Python tests, and of that of those that failed."""
    script = folder / ".ci" / "run"
    stub(folder / "bin" / "make")
    stub(folder / ".venv" / "bin" / "pytest")
    script.parent.mkdir()
    script.write_text(RUN.read_text())
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    run = subprocess.run(  # noqa: S603
        ["bash", script],  # noqa: S607
        capture_output=True, text=True, check=True, env={**os.environ, "PATH": path, **environ},
    )  # fmt: skip
    tests = [s for s in run.stdout.splitlines() if "test-python C" in s or "--last-failed C" in s]
    return [line.partition("CRASH_SEED=")[2] for line in tests]


def test_a_crash_is_repeated_with_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: the second run killed other workers, so that a race could pass it."""
    monkeypatch.delenv("CRASH_SEED", raising=False)
    first, again = seeds(tmp_path)
    assert first == again
    assert first.isdigit()


def test_a_seed_may_be_given(tmp_path: Path) -> None:
    assert seeds(tmp_path, CRASH_SEED="7") == ["7", "7"]
