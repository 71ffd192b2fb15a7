"""Gas of every verb of the escrow, measured by real transactions on a local chain.

    python benchmarks/gas.py           measures and writes results/gas.json beside this file
    python benchmarks/gas.py --check   measures and exits 1 if a figure rose above that file's

Keys, salts and times are fixed, so the same code gives the same file.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from otc_sdk.artifacts import load

from benchmarks.gas_chain import START, Bench
from benchmarks.gas_figures import measure
from scripts.compile import ROOT
from tests.chain import Anvil

RESULTS = Path(__file__).parent / "results" / "gas.json"
HARDFORK = "osaka"
# Of the longest name in the table.
WIDTH = 72

# The most that each may cost. The design's page has the same list, and the next one.
TARGETS = {
    "release": 104_000,
    "fund_plus_release": 160_000,
    "fund_plus_release_in_batch_of_10": 132_000,
    "dispute_and_ruling": 165_000,
}
# What other ways cost: (figure, other's gas, who).
REFERENCES = (
    *((figure, gas, "target") for figure, gas in TARGETS.items()),
    ("fund", 55_691, "bare transfer of USDT on Ethereum"),
    ("release", 103_900, "prototype"),
    ("release", 88_500, "Safe 2-of-3, after 329k to create it"),
    ("fund_plus_release", 150_900, "1inch"),
    ("fund_plus_release", 154_100, "LocalCoinSwap"),
    ("fund_plus_release", 188_500, "commerce-payments"),
    ("fund_plus_release", 226_700, "OpenPeer"),
    ("fund_plus_release", 227_100, "Kleros v2"),
    ("fund_plus_release", 417_600, "Safe 2-of-3, created anew"),
    ("dispute_and_ruling", 206_800, "OpenPeer"),
    ("dispute_and_ruling", 501_000, "Kleros v2"),
)


def run() -> dict[str, Any]:
    """The whole result file."""
    anvil = Anvil("--hardfork", HARDFORK, "--timestamp", str(START)).start()
    try:
        figures = measure(Bench(anvil))
    finally:
        anvil.stop()
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "command": "python benchmarks/gas.py",
        "compiler": load("Escrow")["compiler"],
        "evm_version": profile["evm_version"],
        "optimizer_runs": profile["optimizer_runs"],
        "via_ir": profile["via_ir"],
        "hardfork": HARDFORK,
        **dict(sorted(figures.items())),
    }


def figures_of(result: dict[str, Any]) -> dict[str, int]:
    settings = ("optimizer_runs", "via_ir")
    return {k: v for k, v in result.items() if isinstance(v, int) and k not in settings}


def show(result: dict[str, Any]) -> None:
    """The table: our figures, each beside what is known of others."""
    for name, gas in figures_of(result).items():
        print(f"{name:{WIDTH}}{gas:>10,}")
        for figure, other, who in REFERENCES:
            if figure == name:
                print(f"{'':{WIDTH}}{other:>10,}  {gas / other:5.2f} of {who}")


def rises(result: dict[str, Any], committed: dict[str, Any]) -> list[str]:
    """What costs more than was committed, or is missing on either side."""
    now, before = figures_of(result), figures_of(committed)
    missing = sorted(now.keys() ^ before.keys())
    risen = [k for k in sorted(now.keys() & before.keys()) if now[k] > before[k]]
    return [f"{k} is on one side only" for k in missing] + [
        f"{k} rose from {before[k]:,} to {now[k]:,}" for k in risen
    ]


def main() -> int:
    result = run()
    show(result)
    if "--check" not in sys.argv[1:]:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
        return 0
    faults = rises(result, json.loads(RESULTS.read_text()))
    for fault in faults:
        print(f"gas: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
