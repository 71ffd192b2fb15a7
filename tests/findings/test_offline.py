"""A machine without a network signs from a file, by a coordinator that lies."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from coordinator.cli import app
from coordinator.cli.words import FAR, moment
from tests.cli.command import refused
from tests.findings.told import HONEST, order
from tests.world import AMOUNT, SELLER

FOR_EVER = 2**50


def release(folder: Path, *words: str, **lies: Any) -> Result:
    """What the seller's `otc sign release` says of a saved order."""
    told = order() | {"status": "paid", "settlements": [], "terms_signed_by": ["seller", "buyer"]}
    told["escrow"] |= {"refund_requested_at": 0, "disputed_at": 0}
    path = folder / "order.json"
    path.write_text(json.dumps({**told, "platform": HONEST, **lies}))
    command = ["sign", "release", "--offline", str(path), "--yes", "--json", *words]
    return CliRunner().invoke(app, command, env={"OTC_PRIVATE_KEY": SELLER.key.hex()})


def test_an_honest_file_is_signed(tmp_path: Path) -> None:
    result = release(tmp_path, chain_time=int(time.time()))
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["valid_until"] < time.time() + 8 * 86_400


@pytest.mark.parametrize("ahead_seconds", [FOR_EVER, 70 * 86_400])
def test_the_files_clock(tmp_path: Path, ahead_seconds: int) -> None:
    """Found: the time in the file made a signature that counts for millions of years."""
    clock = int(time.time()) + ahead_seconds
    refused(release(tmp_path, chain_time=clock), "refused to sign a settlement that is valid until")


def test_a_clock_that_is_none(tmp_path: Path) -> None:
    for clock in ("soon", None, [1], 1.5):
        refused(release(tmp_path, chain_time=clock), "chain_time is no number")


@pytest.mark.parametrize(
    "wrong",
    [{"id": "7"}, {"valid_until": None}, {"to_buyer_units": "all"}, {"signatures": ["nobody"]},
     {"signatures": 1}],
)  # fmt: skip
def test_a_settlement_that_is_none(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Found: a traceback."""
    theirs = {"id": 7, "to_buyer_units": "5", "valid_until": 9, "signatures": ["buyer"]}
    for settlements in ([theirs | wrong], [{}], [None], 5):
        refused(release(tmp_path, "--counter", "7", settlements=settlements), "not an order")


def test_what_another_signed(tmp_path: Path) -> None:
    """Found: so did the settlement that was countersigned, shown as valid until "never"."""
    theirs = {"id": 7, "to_buyer_units": str(AMOUNT), "valid_until": FOR_EVER,
              "signatures": {"buyer": "0x"}, "status": "collecting"}  # fmt: skip
    result = release(tmp_path, "--counter", "7", settlements=[theirs])
    refused(result, f"valid until {FOR_EVER}", "days ahead, over 67")


def test_a_far_time_is_shown_as_it_is() -> None:
    assert moment(0, 0) is None
    assert moment(FAR + 1, FAR) == f"second {FAR + 1} (in 1 s)"
