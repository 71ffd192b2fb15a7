"""Every invariant has been seen to fail: on a bug that was planted for it."""

import pytest

from tests.simulation.hall import Hall
from tests.simulation.invariants import Invariant
from tests.simulation.plants import PLANTS
from tests.simulation.seed import Failed, run


def test_every_invariant_has_a_bug() -> None:
    assert {plant.invariant for plant in PLANTS.values()} == set(Invariant)


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(hall: Hall, name: str) -> None:
    plant = PLANTS[name]
    with plant.bug(), pytest.raises(Failed) as failed:
        run(hall, plant.seed, plant.weather)
    assert failed.value.invariant is plant.invariant
