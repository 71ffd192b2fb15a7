"""One seed from its first ad to the day when everything has healed."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from coordinator.workers.sender import MAX_RETRY_SECONDS
from tests.simulation import people
from tests.simulation.actors import GAS_KEYS
from tests.simulation.faults import LIES, SELDOM
from tests.simulation.hall import SENDERS, Hall
from tests.simulation.invariants import Invariant, Judge, Violated
from tests.simulation.world import PLATFORM, Simulation, Weather

STEPS = 70
WORKERS = ("watcher", "watcher", "keeper", *SENDERS)
# Chances of what happens next; people and workers make the rest.
MAX_HEALING_ROUNDS = 40
# Of the lies that there are, how many a liar tells until the weather changes.
LIE_RATE = 0.3
# Rounds in which nothing changes, before all windows pass and after.
QUIET_BEFORE, QUIET_AFTER = 1, 2
LATER_SECONDS = (60, 600, 1200, 4000, 8000, 16_000)


class Failed(Exception):
    """A seed found a fault: an invariant, or None for an error that nobody expected."""

    def __init__(self, world: Simulation, fault: Exception) -> None:
        known = isinstance(fault, Violated)
        super().__init__(f"seed {world.seed}: {fault if known else repr(fault)}")
        self.seed, self.history = world.seed, world.history
        self.invariant = fault.invariant if isinstance(fault, Violated) else None


@dataclass
class Outcome:
    """What a seed did. `digest` is of its whole history: the same seed gives the same."""

    seed: int
    digest: str
    counts: Counter[str] = field(default_factory=Counter)


def run(hall: Hall, seed: int, weather: Weather | None = None, steps: int = STEPS) -> Outcome:
    """Raises Failed."""
    world = Simulation(hall, seed, weather)
    judge = Judge(world)
    try:
        with world.running():
            change_weather(world)
            for _ in range(steps):
                happen(world)
                judge.after_step()
            heal(world, judge)
    except Exception as fault:
        raise Failed(world, fault) from fault
    return outcome(world)


def happen(world: Simulation) -> None:
    """One step of the world."""
    acts: tuple[tuple[float, Callable[[Simulation], None]], ...] = (
        (36, a_person), (40, a_worker), (16, a_block), (1, time), (3, reorg), (4, change_weather),
        (1, skew), (1, rival), (2, a_thief),
    )  # fmt: skip
    ((_, chosen),) = world.chance.choices(acts, [weight for weight, _ in acts])
    chosen(world)


def a_person(world: Simulation) -> None:
    world.interruptible(lambda: people.act(world))


def a_worker(world: Simulation) -> None:
    """Any; where something is to be sent or followed, more often one that does."""
    in_flight = "select from intents where status in ('pending', 'sent', 'mined') limit 1"
    wanted = SENDERS if world.hall.rows(in_flight) else WORKERS
    name = world.chance.choice(wanted if world.chance.random() < 0.5 else WORKERS)
    world.interruptible(lambda: world.step(name))


def a_thief(world: Simulation) -> None:
    """A seller whose buyer has paid asks for the refund all the same, waits, and takes it."""
    paid = [row for row in world.order_rows() if row.status == "paid"]
    if not paid:
        return
    row = world.chance.choice(paid)
    round_of_work(world)
    world.truth.mine(at=max(world.truth.now + 1, row.pay_by))
    people.request_refund(world, row)
    world.truth.mine()
    round_of_work(world)
    world.truth.mine(at=world.truth.now + PLATFORM.refund_window_seconds)
    people.refund_alone(world, row)
    round_of_work(world)


def rival(world: Simulation) -> None:
    """Somebody has started a second watcher."""
    world.step("rival")


def a_block(world: Simulation) -> None:
    for _ in range(world.chance.choice((1, 1, 1, 2, 3))):
        world.truth.mine(most=world.chance.choice((None, None, 1)))
    world.note("blocks")


def time(world: Simulation) -> None:
    """The platform is up, then time passes: nobody is promised anything through an outage."""
    round_of_work(world)
    seconds = world.chance.choice(LATER_SECONDS)
    world.truth.mine(at=world.truth.now + seconds)
    world.note(f"{seconds} seconds pass")
    round_of_work(world)


def reorg(world: Simulation) -> None:
    most = world.truth.head.number - world.truth.final_number
    depth = world.chance.randint(1, max(1, most))
    if most == 0:
        return
    keep = world.chance.choice((0.0, 0.5, 1.0))
    world.truth.reorg(depth, lambda _: world.chance.random() < keep)
    for _ in range(depth + world.chance.choice((-1, 0, 1, 1, 2))):
        world.truth.mine(most=world.chance.choice((None, 0, 1)))
    world.counts[f"reorg of {depth}"] += 1
    world.note(f"reorg of {depth}")


def change_weather(world: Simulation) -> None:
    """The lines get better or worse."""
    for number, line in enumerate(world.lines):
        line.kinds, line.rate = world.weather.kinds, world.weather.fault_rate
        liar = number == world.weather.liar
        # Some at a time: while all blocks are lied about, nothing becomes final.
        line.lies = tuple(
            lie for lie in LIES if liar and (lie in SELDOM or world.chance.random() < LIE_RATE)
        )
        if world.chance.random() < 0.4:
            line.heal()


def skew(world: Simulation) -> None:
    most = world.weather.max_skew_seconds
    world.skew = world.chance.randint(-most, most)
    if world.skew:
        world.counts["skew"] += 1


def round_of_work(world: Simulation) -> None:
    """Every worker once, without faults, and blocks until what they sent is final."""
    for line in world.lines:
        line.calm = True
        if line.catch_up is not None:
            line.catch_up()
    follow(world)
    for name in ("keeper", *busy_senders(world)):
        steadily(world, name)
    for _ in range(world.weather.finality + 1):
        world.truth.mine()
    follow(world)
    for line in world.lines:
        line.calm = False


def busy_senders(world: Simulation) -> list[str]:
    """One takes what is new; the other works if something is its own."""
    first, second = world.chance.sample(SENDERS, 2)
    key = GAS_KEYS[SENDERS.index(second)].address
    mine = (
        "select from intent_slots where sender = %s and status in ('sent', 'mined')"
        " union all select from intents where claimed_by = %s limit 1"
    )
    return [first, second] if world.hall.rows(mine, key, key) else [first]


def follow(world: Simulation) -> None:
    """The watcher, or its rival if that one holds the chain's lock: one of them works."""
    steadily(world, "watcher")
    if world.workers.get("rival") is not None:
        steadily(world, "rival")


def steadily(world: Simulation, name: str) -> None:
    """A step, and another if it failed on a connection that had ended before: loops do the same."""
    if not world.step(name):
        world.step(name)


def heal(world: Simulation, judge: Judge) -> None:
    """Faults end, all windows pass, and the workers run until nothing changes any more."""
    world.skew = 0
    for line in world.lines:
        line.heal()
    world.truth.pool = {k: t for k, t in world.truth.pool.items() if t.raw}
    world.workers["rival"] = None
    world.hall.connections["rival"].close()
    land(world, judge)
    work_until_quiet(world, judge, QUIET_BEFORE)
    pass_all_windows(world, judge)
    if world.hall.rows("select from orders where status = 'disputed' limit 1"):
        # The dispute waited to be sent until now: its windows have only begun.
        pass_all_windows(world, judge)
    if world.halted:
        raise Violated(Invariant.NO_HALT, world.halted)
    judge.at_end()


def pass_all_windows(world: Simulation, judge: Judge) -> None:
    world.truth.mine(at=world.truth.now + 30_000)
    world.note("all windows pass")
    work_until_quiet(world, judge, QUIET_AFTER)
    refused = "select from intents where status = 'pending' and try_after > %s limit 1"
    if world.hall.rows(refused, world.now):
        # Only a later look finds that it has expired, and lets its order go on.
        world.truth.mine(at=world.now + MAX_RETRY_SECONDS)
        work_until_quiet(world, judge, QUIET_AFTER)


def land(world: Simulation, judge: Judge) -> None:
    """Let what is on its way arrive: no window ends by the platform's delay."""
    for _ in range(MAX_HEALING_ROUNDS):
        if not world.hall.rows("select from intent_slots where status in ('sent', 'mined')"):
            return
        round_of_work(world)
        judge.after_step()


def work_until_quiet(world: Simulation, judge: Judge, rounds: int) -> None:
    quiet, before = 0, ""
    for _ in range(MAX_HEALING_ROUNDS):
        round_of_work(world)
        judge.after_step()
        now = fingerprint(world)
        quiet = quiet + 1 if now == before else 0
        before = now
        if quiet == rounds:
            return
    raise Violated(Invariant.AT_REST, before)


def fingerprint(world: Simulation) -> str:
    """What is not over, by the books."""
    rows = world.hall.rows(
        "select key, status from intents union all select id, status from orders"
        " union all select id::text, status from settlements order by 1, 2"
    )
    return str([tuple(row) for row in rows])


def outcome(world: Simulation) -> Outcome:
    counts = Counter({str(k.name): n for line in world.lines for k, n in line.counts.items()})
    counts.update({k.name: n for k, n in world.boundaries.counts.items()})
    counts.update(world.counts)
    rows = world.hall.rows(
        "select 'order ' || status as what, count(*) from orders group by 1"
        " union all select event, count(*) from order_log group by 1"
        " union all select 'intent ' || status, count(*) from intents group by 1"
        " union all select 'cosigned', count(*) from cosignatures where signature is not null"
    )
    counts.update({row.what: row.count for row in rows})
    digest = hashlib.sha256("\n".join(world.history).encode()).hexdigest()[:16]
    return Outcome(world.seed, digest, counts)
