"""`scripts/brownie run deploy` and `console` as a user starts them, each on a chain of its own."""

import json
import subprocess

import pytest
from otc_sdk.deployment import escrow_address

from scripts import deploy as script

ROOT = script.DEPLOYMENTS.parent
FILE = script.DEPLOYMENTS / "development.json"
TIMEOUT_SECONDS = 600


@pytest.fixture(autouse=True)
def clean_tree():
    """The record of the development chain as it was, once the test is over."""
    before = FILE.read_bytes() if FILE.exists() else None
    yield
    FILE.unlink(missing_ok=True)
    if before is not None:
        FILE.write_bytes(before)


def brownie(*words, typed=""):
    """What the command prints; its node ends with it."""
    run = subprocess.run(  # noqa: S603
        [ROOT / "scripts" / "brownie", *words],
        input=typed, capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_run_deploy_on_a_development_chain():
    FILE.unlink(missing_ok=True)
    printed = brownie("run", "deploy", "--network", "development")
    assert "development: deployed" in printed
    assert json.loads(FILE.read_text())["escrow"] == escrow_address()


def test_console_has_the_contracts_and_a_chain():
    line = 'print("made", Escrow.deploy({"from": accounts[0]}).vaultOf(bytes(32)))\n'
    printed = brownie("console", "--network", "development", typed=line)
    assert "made 0x" in printed
