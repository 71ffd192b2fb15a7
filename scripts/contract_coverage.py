"""Which lines and branches of the contracts their tests reach, held to docs/audit/coverage.md.

    python scripts/contract_coverage.py

Runs the forge suite without its invariants and without the mocks' own lines, and prints forge's
table. Exits 1 where a file has a gap, or where the document says something else.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "audit" / "coverage.md"
ARGUMENTS = (
    "coverage", "--exclude-tests", "--no-match-coverage", "mocks",
    "--no-match-test", "invariant_", "--report", "summary",
)  # fmt: skip
MEASURED_ROW = re.compile(r"^\| (contracts/\S+\.sol) +\|(.*)\|$", re.MULTILINE)
MEASURED = re.compile(r"\((\d+)/(\d+)\)")
WRITTEN_ROW = re.compile(r"^\| `(contracts/\S+\.sol)` \|(.*)\|$", re.MULTILINE)
WRITTEN = re.compile(r"(\d+) of (\d+)")

# Of a file's lines, statements, branches and functions: how many were reached, of how many.
Reached = list[tuple[int, int]]


def figures(text: str, row: re.Pattern[str], cell: re.Pattern[str]) -> dict[str, Reached]:
    """File -> what was reached of it, from a table's rows."""
    return {
        file: [(int(reached), int(of)) for reached, of in cell.findall(cells)]
        for file, cells in row.findall(text)
    }


def faults(measured: dict[str, Reached], written: dict[str, Reached]) -> list[str]:
    """A line for each file with a gap, and for each of which the document says something else."""
    if not measured:
        return ["forge measured nothing"]
    gaps = [f for f, of in measured.items() if any(reached < all_ for reached, all_ in of)]
    stale = [f for f in {**measured, **written} if measured.get(f) != written.get(f)]
    return [
        *(f"{f}: not all of it is reached; `--report lcov` names the lines" for f in gaps),
        *(f"{f}: {DOCUMENT.name} says something else" for f in stale),
    ]


def main() -> int:
    forge = [sys.executable, ROOT / "scripts" / "forge.py", *ARGUMENTS]
    done = subprocess.run(forge, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        print(done.stdout)
        return done.returncode
    print(done.stdout[done.stdout.index("╭") :])
    found = faults(
        figures(done.stdout, MEASURED_ROW, MEASURED),
        figures(DOCUMENT.read_text(), WRITTEN_ROW, WRITTEN),
    )
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
