"""A few seeds each time; `make simulate` runs as many as you like."""

import pytest

from tests.simulation.hall import Hall
from tests.simulation.seed import run

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_doubled(hall: Hall, seed: int) -> None:
    run(hall, seed)


def test_a_seed_is_the_same_each_time(hall: Hall) -> None:
    first, second = run(hall, 2), run(hall, 2)
    assert (first.digest, first.counts) == (second.digest, second.counts)
