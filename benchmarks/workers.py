"""The coordinator's workers as processes of their own, as `otc worker` runs them."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from coordinator.domain.platform import Platform

PATIENCE_SECONDS = 120
POLL_SECONDS = 0.05


def environment(platform: Platform, database: str, rpc_url: str, finality: int) -> dict[str, str]:
    """What every worker is told."""
    return {
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": database,
        "OTC_RPC_URL": rpc_url,
        "OTC_CHAIN_ID": str(platform.domain.chain_id),
        "OTC_ESCROW": platform.domain.escrow,
        "OTC_TOKEN": platform.token,
        "OTC_FINALITY": str(finality),
        "OTC_COORDINATOR": platform.coordinator,
        "OTC_ARBITRATOR": platform.arbitrator,
        "OTC_FEE_RECIPIENT": platform.fee_recipient,
    }


@contextmanager
def workers(settings: Mapping[str, str], *names: str) -> Iterator[list[int]]:
    """Their process ids. A TimeoutError raised meanwhile says what they printed."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        logs = [Path(folder) / f"{name}.log" for name in names]
        children = []
        for name, log in zip(names, logs, strict=True):
            command = [sys.executable, "-m", "coordinator.cli", "worker", name]
            out = stack.enter_context(log.open("w"))
            child = subprocess.Popen(  # noqa: S603
                command, env={**os.environ, **settings}, stdout=out, stderr=out
            )
            stack.callback(child.wait)
            stack.callback(child.terminate)
            children.append(child)
        try:
            yield [child.pid for child in children]
        except TimeoutError as error:
            printed = "\n".join(log.read_text() for log in logs)
            raise TimeoutError(f"{error}:\n{printed}") from error


def await_true(what: str, true: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(POLL_SECONDS)
