"""Many seeds, each in a world of its own; the first fault is printed with how to see it again."""

import argparse
import gc
import json
import logging
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import structlog

from coordinator.stack.database import EmbeddedDatabase
from tests.database import TEMPLATE, DatabaseServer
from tests.simulation.hall import Hall
from tests.simulation.plants import PLANTS
from tests.simulation.seed import Failed, run

# Where it is memory, a database costs no disk.
MEMORY = Path("/dev/shm")  # noqa: S108 - for a folder of its own
LAST_STEPS = 25
MAX_FAILURES = 5
SAY_EVERY_SEEDS = 100
INTERRUPTED = 130


def quiet() -> None:
    """Workers log what they survive: here that is all the time."""
    level = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=level, cache_logger_on_first_use=False)
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)


@contextmanager
def open_hall() -> Iterator[Hall]:
    memory = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="otc-", dir=memory) as folder:
        embedded = EmbeddedDatabase(Path(folder) / "pg")
        server = DatabaseServer(embedded.start())
        for setting in ("synchronous_commit", "full_page_writes", "fsync", "autovacuum"):
            server.execute(f"alter system set {setting} = off")
        server.execute("select pg_reload_conf()")
        server.admin.dispose()
        made = Hall(server.url(TEMPLATE))
        try:
            yield made
        finally:
            made.close()
            embedded.stop()


def main() -> int:
    options = parse()
    begun, end = time.monotonic(), options.first + options.seeds
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        parts = [
            pool.submit(work, range(options.first + job, end, options.jobs), options.plant)
            for job in range(options.jobs)
        ]
        try:
            results = [part.result() for part in parts]
        except KeyboardInterrupt:
            print("stopping after the seeds that run", file=sys.stderr)
            results = [part.result() for part in parts]
    counts: Counter[str] = Counter()
    for part in results:
        counts += part.counts
    failed = sorted(seed for part in results for seed in part.failed)
    took = time.monotonic() - begun
    print(json.dumps(dict(sorted(counts.items())), indent=1))
    done = sum(part.done for part in results)
    print(f"{done} seeds from {options.first}, failed: {failed or 'none'}, {took:.0f} s")
    return 1 if failed else 0 if done == options.seeds else INTERRUPTED


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--plant", choices=PLANTS, help="a bug to plant, to see it found")
    return parser.parse_args()


@dataclass
class Part:
    """What one process found."""

    counts: Counter[str] = field(default_factory=Counter)
    done: int = 0
    failed: list[int] = field(default_factory=list)


def work(seeds: Iterable[int], plant: str | None) -> Part:
    """Run seeds, up to MAX_FAILURES of them that fail; Ctrl-C ends them after the one that runs."""
    quiet()
    stopped: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    part = Part()
    planted = PLANTS[plant] if plant else None
    # Between seeds alone: within one, collecting takes a tenth of its time.
    gc.disable()
    with open_hall() as made, planted.bug() if planted else nullcontext():
        for seed in seeds:
            try:
                part.counts += run(made, seed, planted.weather if planted else None).counts
            except Failed as failed:
                part.failed.append(seed)
                print(report(failed, plant), flush=True)
            part.done += 1
            gc.collect()
            if sys.stderr.isatty():
                print(f"\rseed {seed} ", end="", file=sys.stderr, flush=True)
            elif part.done % SAY_EVERY_SEEDS == 0:
                print(f"{part.done} seeds, up to {seed}", file=sys.stderr, flush=True)
            if stopped or len(part.failed) == MAX_FAILURES:
                break
    return part


def report(failed: Failed, plant: str | None) -> str:
    """The end of the history, the fault, and how to see it again."""
    last = "\n".join(f"    {line}" for line in failed.history[-LAST_STEPS:])
    again = f"make simulate SEEDS=1 FROM={failed.seed}" + (f" PLANT={plant}" if plant else "")
    return f"{last}\n{failed}\nagain: {again}\n"
