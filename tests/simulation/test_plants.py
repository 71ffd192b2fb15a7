"""Every invariant has been seen to fail: on a bug that was planted for it."""

import pytest

from tests.simulation.hall import Hall
from tests.simulation.invariants import Invariant
from tests.simulation.plants import PLANTS, Plant
from tests.simulation.seed import Failed, run

# What a seed does may change with the code under test: the next ones find the bug, too.
WITHIN = 100


def test_every_invariant_has_a_bug() -> None:
    assert {plant.invariant for plant in PLANTS.values()} == set(Invariant)


def first_found(hall: Hall, plant: Plant) -> int | None:
    """The first seed that fails by the plant's invariant."""
    with plant.bug():
        for seed in range(plant.seed, plant.seed + WITHIN):
            try:
                run(hall, seed, plant.weather)
            except Failed as failed:
                if failed.invariant is plant.invariant:
                    return seed
    return None


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(hall: Hall, name: str) -> None:
    assert first_found(hall, PLANTS[name]) is not None
