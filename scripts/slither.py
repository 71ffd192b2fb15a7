"""Run slither over the contracts and hold its findings to their answers in docs/audit/slither.md.

    .venv-audit/bin/python scripts/slither.py

Exits 1 on a finding without an answer there, and on an answer to a finding that is gone.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from forge import find_binary

ROOT = Path(__file__).resolve().parent.parent
ANSWERS = ROOT / "docs" / "audit" / "slither.md"
ROW = re.compile(r"^\| ([a-z-]+) \| `([^`]+)` \|", re.MULTILINE)


def findings() -> set[tuple[str, str]]:
    """Detector and place of every finding in our own contracts, the mocks left out."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "slither.json"
        path = os.pathsep.join([str(Path(find_binary("forge")).parent), os.environ["PATH"]])
        done = subprocess.run(  # noqa: S603
            [Path(sys.executable).with_name("slither"), ".", "--json", report,
             "--config-file", "slither.config.json"],
            cwd=ROOT, env={**os.environ, "FOUNDRY_PROFILE": "slither", "PATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not report.exists():
            raise SystemExit(f"slither failed:\n{done.stdout}{done.stderr}")
        found = json.loads(report.read_text())
    if not found["success"]:
        raise SystemExit(f"slither failed:\n{found['error']}")
    return {(f["check"], place(f["elements"][0])) for f in found["results"].get("detectors", [])}


def place(element: dict[str, Any]) -> str:
    """`Contract.function`, `Contract.variable`, or of a variable in a function all three names."""
    parent = element["type_specific_fields"]["parent"]
    if parent["type"] != "function":
        return f"{parent['name']}.{element['name']}"
    inner = f".{element['name']}" if element["type"] == "variable" else ""
    return place(parent) + inner


def main() -> int:
    answered = set(ROW.findall(ANSWERS.read_text()))
    found = findings()
    for check, where in sorted(found - answered):
        print(f"no answer in {ANSWERS.name}: | {check} | `{where}` |", file=sys.stderr)
    for check, where in sorted(answered - found):
        print(f"answered, but no longer found: | {check} | `{where}` |", file=sys.stderr)
    print(f"{len(found)} findings, {len(found & answered)} answered")
    return 0 if found == answered else 1


if __name__ == "__main__":
    sys.exit(main())
