"""What `make simulate` prints, and its exit codes."""

import subprocess
import sys

import pytest

RUN_SECONDS = 120


def simulate(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", *options]
    return subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )


def test_a_seed_that_fails_is_named_with_how_to_see_it_again() -> None:
    done = simulate("--seeds", "1", "--from", "0", "--plant", "tokens-minted")
    assert done.returncode == 1
    assert "seed 0: tokens are conserved" in done.stdout
    assert "again: make simulate SEEDS=1 FROM=0 PLANT=tokens-minted" in done.stdout
    assert "1 seeds from 0, failed: [0]" in done.stdout


def test_seeds_that_are_clean_are_counted() -> None:
    done = simulate("--seeds", "2", "--from", "7")
    assert done.returncode == 0, done.stdout
    assert "2 seeds from 7, failed: none" in done.stdout


@pytest.mark.parametrize("options", [("--plant", "no such"), ("--seeds", "few")])
def test_what_cannot_be_run_is_refused(options: tuple[str, str]) -> None:
    done = simulate(*options)
    assert done.returncode == 2
    assert "error: argument" in done.stderr
