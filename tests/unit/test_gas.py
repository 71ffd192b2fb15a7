"""What fails the check of the gas, and that the committed figures reach their targets."""

import json
from typing import Any

import pytest

from benchmarks.gas import RESULTS, TARGETS, WIDTH, figures_of, rises
from benchmarks.gas_exits import EXITS, cases

COMMITTED = {"compiler": "0.8.37", "optimizer_runs": 1_000_000, "via_ir": True, "fund": 100}


@pytest.fixture(scope="module")
def committed() -> dict[str, int]:
    return figures_of(json.loads(RESULTS.read_text()))


@pytest.mark.parametrize(
    ("result", "faults"),
    [
        (COMMITTED, []),
        (COMMITTED | {"fund": 99}, []),
        (COMMITTED | {"fund": 1_101}, ["fund rose from 100 to 1,101"]),
        (COMMITTED | {"sweep": 1}, ["sweep is on one side only"]),
        ({"compiler": "0.8.37"}, ["fund is on one side only"]),
        (COMMITTED | {"compiler": "0.9.0", "optimizer_runs": 2_000_000}, []),
    ],
    ids=["equal", "fallen", "risen", "new", "missing", "settings are no figures"],
)
def test_a_rise_is_named(result: dict[str, Any], faults: list[str]) -> None:
    assert rises(result, COMMITTED) == faults


@pytest.mark.parametrize("figure", TARGETS)
def test_targets_are_reached(committed: dict[str, int], figure: str) -> None:
    assert committed[figure] <= TARGETS[figure]


def test_funding_is_a_bare_transfer(committed: dict[str, int]) -> None:
    assert committed["fund"] == committed["bare_transfer"]


def test_every_exit_is_measured_every_way(committed: dict[str, int]) -> None:
    names = {case.name for case in cases()}
    assert names <= committed.keys()
    assert len(names) == len(cases())
    assert {case.exit for case in cases()} == EXITS.keys()


def test_names_fit_the_table(committed: dict[str, int]) -> None:
    assert max(map(len, committed)) < WIDTH
