"""Every invariant has been seen to fail: on a bug that was planted for it."""

import pytest

from tests.simulation.hall import Hall
from tests.simulation.plants import PLANTS, Plant
from tests.simulation.seed import Failed, run

# Seeds in which the bug must show. `make simulate PLANT=name` takes as many as you like.
WITHIN = 25
# Found early, so that every test run can afford them; the others' figures are in the docs.
QUICK = ("seen-in-ledger", "posted-twice", "cosigned-without-consent")


def first_failure(hall: Hall, plant: Plant) -> str:
    """The fault that the first failing seed finds; empty if none does."""
    with plant.bug():
        for seed in range(WITHIN):
            try:
                run(hall, seed, plant.weather)
            except Failed as failed:
                return failed.reason
    return ""


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_bug_is_found(hall: Hall, name: str) -> None:
    assert PLANTS[name].invariant in first_failure(hall, PLANTS[name])
