"""Running a worker's step for ever: it waits while the database or a node is down, and resumes."""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError

from coordinator.services.ports import NodeDown

log = structlog.get_logger()
MIN_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 10.0


def run(name: str, step: Callable[[], bool], poll_seconds: float, stop: threading.Event) -> None:
    """Call `step` until `stop`. It returns True if there may be more to do at once.

    Any other error than an outage is a fault of ours and ends the worker.
    """
    wait = MIN_WAIT_SECONDS
    while not stop.is_set():
        try:
            more = step()
        except (NodeDown, OperationalError, InterfaceError) as error:
            log.warning("waiting", worker=name, error=str(error).splitlines()[0], seconds=wait)
            stop.wait(wait)
            wait = min(wait * 2, MAX_WAIT_SECONDS)
            continue
        wait = MIN_WAIT_SECONDS
        if not more:
            stop.wait(poll_seconds)
