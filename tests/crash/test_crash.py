"""Workers that die outright at the worst moments: the stack starts them again, money is right."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.e2e.processes import (
    DEMO_SECONDS,
    Run,
    demo_result,
    folder,
    logs,
    require_right,
    result_of,
)

pytestmark = pytest.mark.xdist_group("stack")
HOOKS = Path(__file__).parent / "hooks"
WORKERS = ("api", "cosigner", "watcher", "sender", "keeper")
# One worker dies once for each of its points.
RUNS = {
    "before it is written down": (
        "sender-slot-not-committed",
        "sender-sent-not-noted",
        "watcher-read-not-committed",
        "keeper-cosigned-not-kept",
        "keeper-kept-not-committed",
        "cosigner-signed-not-noted",
        "api-placed-not-committed",
    ),
    "after it is written down": (
        "sender-signed-not-sent",
        "watcher-committed",
        "keeper-kept",
        "cosigner-noted-not-answered",
        "api-committed-not-answered",
    ),
}
# How long a worker lives once it has started: one that never gets that far does nothing at all.
LIVES_SECONDS = (0.0, 6.0)
# Each death makes the stack wait longer before the next start.
MAX_DEATHS = 5
PAUSES_SECONDS = (0.1, 0.4)


@pytest.mark.parametrize("points", RUNS.values(), ids=RUNS)
def test_balances_are_right_whatever_dies(points: tuple[str, ...]) -> None:
    with folder() as data_dir, folder() as markers:
        environ = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(HOOKS), os.environ.get("PYTHONPATH")))),
            "CRASH_POINTS": " ".join(points),
            "CRASH_MARKERS": str(markers),
        }
        result = demo_result(data_dir, environ)
        require_right(result)
        assert {marker.name for marker in markers.iterdir()} == set(points)
        for worker in WORKERS:
            deaths = sum(point.startswith(worker) for point in points)
            assert result["said"].count(f"{worker} had died and was started again") == deaths


def test_balances_are_right_while_workers_die_at_random() -> None:
    seed = int(os.environ.get("CRASH_SEED", time.time_ns() % 10**9))
    print(f"CRASH_SEED={seed}")
    with folder() as data_dir, Run("demo", "--json", "--data-dir", data_dir) as run:
        run.await_words("everything is up")
        killed = kill_at_random(run, data_dir, random.Random(seed))  # noqa: S311 - to be repeated
        print("killed:", *killed)
        assert run.wait(DEMO_SECONDS) == 0, run.said() + logs(data_dir)
        run.require_nothing_left()
        require_right(result_of(run))
        assert set(killed) == set(WORKERS)
        # Those that died at the very end were not needed any more.
        assert run.said().count("had died and was started again") >= len(killed) - len(WORKERS)


def kill_at_random(run: Run, data_dir: Path, chance: random.Random) -> list[str]:
    """Kill random workers until the demo has ended; return their names."""
    killed: list[str] = []
    ends: dict[int, float] = {}
    deadline = time.monotonic() + DEMO_SECONDS
    while run.alive():
        assert time.monotonic() < deadline, f"{run.said()}\nkilled: {killed}\n{logs(data_dir)}"
        time.sleep(chance.uniform(*PAUSES_SECONDS))
        name = chance.choice(WORKERS)
        worker = find(run.process.pid, name)
        if worker is None or killed.count(name) >= MAX_DEATHS:
            continue
        started = (data_dir / "logs" / f"{name}.log").read_text().count('"event": "started"')
        if started > killed.count(name):
            ends.setdefault(worker.pid, time.monotonic() + chance.uniform(*LIVES_SECONDS))
        if time.monotonic() > ends.get(worker.pid, deadline):
            worker.send_signal(signal.SIGKILL)
            killed.append(name)
    return killed


def find(parent: int, name: str) -> Any:
    """The worker's process, if it runs."""
    try:
        children = psutil.Process(parent).children()
        return next((p for p in children if p.cmdline()[-2:] == ["worker", name]), None)
    except psutil.NoSuchProcess:
        return None
