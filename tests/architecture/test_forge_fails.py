"""A failing forge test fails the command that runs it: npm's own wrapper of forge exits 0."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOUNDRY_TOML = f"""
[profile.default]
src = "src"
test = "test"
solc = "{ROOT / "scripts" / "solc"}"
offline = true
"""
TEST_CONTRACT = """
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;
contract OneTest {{ function test_one() external pure {{ require({condition}, "one"); }} }}
"""


@pytest.mark.parametrize(("condition", "passes"), [("true", True), ("false", False)])
def test_exit_code_tells_failure(tmp_path: Path, condition: str, passes: bool) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "foundry.toml").write_text(FOUNDRY_TOML)
    (tmp_path / "test" / "One.t.sol").write_text(TEST_CONTRACT.format(condition=condition))
    run = subprocess.run(  # noqa: S603
        [sys.executable, ROOT / "scripts" / "forge.py", "test", "--root", tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ("1 passed" if passes else "1 failed") in run.stdout, run.stdout + run.stderr
    assert (run.returncode == 0) is passes
