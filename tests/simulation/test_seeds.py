"""A few seeds each time; `make simulate` runs as many as you like."""

from collections import Counter

from tests.simulation.faults import LIES, LINE, NODE
from tests.simulation.hall import Hall
from tests.simulation.interruptions import Interruption
from tests.simulation.seed import run
from tests.simulation.world import MAX_FINALITY

# In which something rare happened when they were chosen; others follow until all has happened.
CHOSEN, OTHERS = (292, 167, 128, 210, 181, 81), range(200)


def test_nothing_is_lost_and_nothing_doubled_whatever_happens(hall: Hall) -> None:
    """Every kind of fault and every depth of reorg occurs, and every invariant holds."""
    expected = {kind.name for kind in (*LINE, *NODE, *LIES, *Interruption)} | {"skew"}
    expected |= {f"reorg of {depth}" for depth in range(1, MAX_FINALITY + 1)}
    counts: Counter[str] = Counter()
    for seed in (*CHOSEN, *OTHERS):
        counts += run(hall, seed).counts
        if expected <= counts.keys():
            break
    assert expected <= counts.keys()


def test_a_seed_is_the_same_each_time(hall: Hall) -> None:
    """Whatever ran before it: in the first of the others, processes die in their transactions."""
    first = run(hall, 109)
    for other in (102, 2):
        run(hall, other)
    second = run(hall, 109)
    assert (first.digest, first.counts) == (second.digest, second.counts)
