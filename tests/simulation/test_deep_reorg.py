"""A reorg below the final block breaks the chain's promise: everything stops, with an alarm."""

from dataclasses import replace
from random import Random

import pytest

from tests.simulation.hall import Hall
from tests.simulation.invariants import Judge
from tests.simulation.seed import happen, round_of_work
from tests.simulation.world import MAX_FINALITY, MIN_FINALITY, Simulation, Weather

STEPS = 25
ROUNDS_AFTER = 3


def promises(world: Simulation) -> list[object]:
    """Buyers told to pay, and what the co-signer signed."""
    return world.hall.rows(
        "select count(*) from order_log where event = 'deposit_final' union all"
        " select count(*) from cosignatures where signature is not null"
    )


@pytest.mark.parametrize("below_final", [1, 2])
@pytest.mark.parametrize("finality", range(MIN_FINALITY, MAX_FINALITY + 1))
def test_a_final_block_that_vanishes_halts_the_chain(
    hall: Hall, finality: int, below_final: int
) -> None:
    weather = replace(Weather.of(Random(finality)), finality=finality)
    world = Simulation(hall, finality, weather)
    judge = Judge(world)
    with world.running():
        for _ in range(STEPS):
            happen(world)
            judge.after_step()
        round_of_work(world)
        depth = world.truth.head.number - world.truth.final_number + below_final
        world.truth.reorg(depth, lambda _: False)
        for _ in range(depth + 1):
            world.truth.mine()
        round_of_work(world)
        assert "is halted" in world.halted
        before = promises(world)
        for _ in range(ROUNDS_AFTER):
            happen(world)
            round_of_work(world)
        assert promises(world) == before
