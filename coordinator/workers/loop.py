"""Running a worker's step for ever: it waits while the database or a node is down, and resumes."""

import threading
from collections.abc import Callable, Mapping

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from coordinator.services import metrics
from coordinator.services.ports import NodeDown

log = structlog.get_logger()
MIN_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 10.0


def run(
    name: str,
    step: Callable[[], bool],
    poll_seconds: float,
    stop: threading.Event,
    wake: threading.Event | None = None,
) -> None:
    """Call `step` until `stop`. It returns True if there may be more to do at once.

    Otherwise it is called again after `poll_seconds`, or as soon as `wake` is set. Any other error
    than an outage is a fault of ours and ends the worker.
    """
    wake = wake or threading.Event()
    ended = threading.Event()
    threading.Thread(target=pass_on, args=(stop, ended, wake), daemon=True).start()
    wait = MIN_WAIT_SECONDS
    while not stop.is_set():
        # Before the step: what is written while it runs makes another.
        wake.clear()
        if stop.is_set():
            return
        try:
            with metrics.STEP_SECONDS.labels(name).time():
                more = step()
            metrics.STEPS.labels(name).inc()
        except (NodeDown, OperationalError, InterfaceError) as error:
            metrics.OUTAGES.labels(name).inc()
            log.warning("waiting", worker=name, error=str(error).splitlines()[0], seconds=wait)
            ended.wait(wait)
            wait = min(wait * 2, MAX_WAIT_SECONDS)
            continue
        wait = MIN_WAIT_SECONDS
        if not more:
            wake.wait(poll_seconds)


def run_all(
    steps: Mapping[str, Callable[[], bool]],
    poll_seconds: float,
    stop: threading.Event,
    wakes: Mapping[str, threading.Event],
) -> None:
    """Run several workers side by side until `stop`; a fault of one ends all and is raised."""
    faults: list[BaseException] = []

    def work(name: str) -> None:
        try:
            run(name, steps[name], poll_seconds, stop, wakes[name])
        except BaseException as fault:  # noqa: BLE001 - raised below
            faults.append(fault)
            stop.set()

    threads = [threading.Thread(target=work, args=(name,)) for name in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def pass_on(stop: threading.Event, *others: threading.Event) -> None:
    """Tell whoever waits for something else of the end.

    A signal's handler sets `stop`: the main thread must not wait for it, or hold its lock.
    """
    stop.wait()
    for event in others:
        event.set()
