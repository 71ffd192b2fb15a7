"""Kills a worker at a named point, once. Python imports this at start if it is on PYTHONPATH.

CRASH_POINTS names the points, CRASH_MARKERS a folder: a point whose file is there is over.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Point:
    """Before or after `function` of `module`, in one worker.

    With `armed_by`, only once a call of that function has returned something true.
    """

    worker: str
    module: str
    function: str
    after: bool
    armed_by: tuple[str, str] | None = None


KEPT_LOGS = ("coordinator.services.chain", "keep_logs")
TRIED_BATCH = ("coordinator.adapters.chain.sender", "Account.try_batch")
FOUND_GAPS = ("coordinator.workers.flight", "Flight.gaps")
SIGNED = ("coordinator.services.settlements", "add_signature")
POINTS = {
    "sender-signed-not-sent": Point(
        "sender", "coordinator.workers.flight", "Flight.broadcast", False
    ),
    "sender-sent-not-noted": Point(
        "sender", "coordinator.adapters.chain.sender", "Account.broadcast", True
    ),
    "sender-slot-not-committed": Point("sender", "coordinator.services.sending", "take_slot", True),
    "sender-batch-not-committed": Point(
        "sender", "coordinator.services.sending", "take_slot", True, TRIED_BATCH
    ),
    "sender-batch-signed-not-sent": Point(
        "sender", "coordinator.workers.flight", "Flight.broadcast", False, TRIED_BATCH
    ),
    "sender-filler-not-committed": Point(
        "sender", "coordinator.services.sending", "take_slot", True, FOUND_GAPS
    ),
    "sender-filler-signed-not-sent": Point(
        "sender", "coordinator.workers.flight", "Flight.broadcast", False, FOUND_GAPS
    ),
    "watcher-read-not-committed": Point(
        "watcher", "coordinator.services.chain", "ingest", True, KEPT_LOGS
    ),
    "watcher-committed": Point(
        "watcher", "coordinator.workers.watcher", "Watcher.step", True, KEPT_LOGS
    ),
    "keeper-cosigned-not-kept": Point(
        "keeper", "coordinator.services.settlements", "cosigned", False
    ),
    "keeper-kept-not-committed": Point(
        "keeper", "coordinator.services.settlements", "cosigned", True
    ),
    "keeper-kept": Point("keeper", "coordinator.workers.keeper", "Keeper.cosign", True),
    "cosigner-signed-not-noted": Point(
        "cosigner", "coordinator.adapters.keys.keystore", "KeystoreKey.sign", True
    ),
    "cosigner-noted-not-answered": Point(
        "cosigner", "coordinator.services.cosigning", "cosign", True
    ),
    "api-placed-not-committed": Point("api", "coordinator.services.orders", "place", True),
    "api-committed-not-answered": Point(
        "api", "fastapi.routing", "serialize_response", False, SIGNED
    ),
}


def crash(name: str) -> None:
    """Die as if the power had gone, but only the first time."""
    try:
        (Path(os.environ["CRASH_MARKERS"]) / name).touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def replace(module: ModuleType, path: str, wrap: Callable[[Any], Any]) -> None:
    *owners, last = path.split(".")
    owner: Any = functools.reduce(getattr, owners, module)
    setattr(owner, last, wrap(getattr(owner, last)))


def patches(name: str, point: Point) -> list[tuple[str, str, Callable[[Any], Any]]]:
    """(module, function, wrapper) for one point."""
    armed = [point.armed_by is None]

    def killing(function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if armed[0] and not point.after:
                crash(name)
            result = function(*arguments, **named)
            if armed[0] and point.after:
                crash(name)
            return result

        return wrapped

    def arming(function: Any) -> Any:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            result = function(*arguments, **named)
            armed[0] = armed[0] or bool(result)
            return result

        return wrapped

    found = [(point.module, point.function, killing)]
    if point.armed_by is not None:
        found.append((*point.armed_by, arming))
    return found


class Patcher(importlib.abc.MetaPathFinder):
    """Patches modules right after they are imported."""

    def __init__(self, wanted: list[tuple[str, str, Callable[[Any], Any]]]) -> None:
        self.wanted = wanted

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        mine = [(function, wrap) for module, function, wrap in self.wanted if module == name]
        if not mine:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def patched(module: ModuleType) -> None:
            execute(module)
            for function, wrap in mine:
                replace(module, function, wrap)

        spec.loader.exec_module = patched  # type: ignore[method-assign]
        return spec


def install() -> None:
    if "worker" not in sys.orig_argv:
        return
    worker = sys.orig_argv[-1]
    names = os.environ.get("CRASH_POINTS", "").split()
    wanted = [
        patch
        for name in names
        if POINTS[name].worker == worker
        for patch in patches(name, POINTS[name])
    ]
    sys.meta_path.insert(0, Patcher(wanted))


install()
