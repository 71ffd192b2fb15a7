"""A few seeds each time; `make simulate` runs as many as you like."""

from collections import Counter

from tests.simulation.faults import LIES, LINE, NODE
from tests.simulation.hall import Hall
from tests.simulation.interruptions import Interruption
from tests.simulation.seed import run

# In which something rare happened when they were chosen; others follow until all has happened.
CHOSEN, OTHERS = (245, 29, 55, 0, 33, 64, 4), range(100)


def test_nothing_is_lost_and_nothing_doubled_whatever_happens(hall: Hall) -> None:
    """Every kind of fault occurs, and every invariant holds."""
    expected = {kind.name for kind in (*LINE, *NODE, *LIES, *Interruption)}
    counts: Counter[str] = Counter()
    for seed in (*CHOSEN, *OTHERS):
        counts += run(hall, seed).counts
        if expected <= counts.keys():
            break
    assert expected <= counts.keys()


def test_a_seed_is_the_same_each_time(hall: Hall) -> None:
    first, second = run(hall, 2), run(hall, 2)
    assert (first.digest, first.counts) == (second.digest, second.counts)
