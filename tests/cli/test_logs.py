"""What a worker writes: one JSON object a line, with its name and chain, and no secret."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from otc_sdk.keystore import PASSWORD, PRIVATE_KEY

from coordinator.stack.ports import free_port
from tests.cli.command import OTC, Otc, refused
from tests.cli.operator import SECRET, Settings

PRIVATE = "0x" + "4f" * 32


def first_lines(count: int, **environ: str) -> list[str]:
    """The first lines of a sender, which is ended then."""
    with subprocess.Popen(  # noqa: S603
        [OTC, "worker", "sender"], stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
    ) as process:
        assert process.stderr is not None
        try:
            return [process.stderr.readline() for _ in range(count)]
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.fixture
def secretive(settings: Settings) -> Settings:
    """Nothing answers, and every setting that can holds a secret."""
    return {
        **settings,
        "DATABASE_URL": f"postgresql://otc:{SECRET}@127.0.0.1:{free_port()}/otc",
        "OTC_RPC_URL": f"http://user:{SECRET}@127.0.0.1:{free_port()}/{SECRET}?key={SECRET}",
        "OTC_COSIGNER_TOKEN": SECRET,
        PASSWORD: SECRET,
        PRIVATE_KEY: PRIVATE,
    }


def test_each_line_is_an_object_that_says_who_speaks(secretive: Settings) -> None:
    lines = first_lines(2, **secretive)
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [entry["event"] for entry in entries] == ["started", "waiting"]
    for entry in entries:
        assert (entry["worker"], entry["chain_id"]) == ("sender", 31337)
        assert entry["timestamp"].endswith("Z")
    assert entries[1]["level"] == "warning"
    assert "127.0.0.1" in entries[1]["error"] or "node failed" in entries[1]["error"]
    for secret in (SECRET, PRIVATE):
        assert secret not in "".join(lines)


SAY = """
import structlog
from coordinator.adapters.logs import configure
configure("json", {"worker": "sender"}, [])
with structlog.contextvars.bound_contextvars(order_ids=["0x1"]):
    structlog.get_logger().warning("held up")
"""


def test_lines_name_the_orders_that_the_work_is_about() -> None:
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SAY], capture_output=True, text=True, check=True
    )
    entry = json.loads(run.stderr)
    assert (entry["event"], entry["worker"], entry["order_ids"]) == ("held up", "sender", ["0x1"])


def test_for_people(secretive: Settings) -> None:
    started, waiting = first_lines(2, **secretive, OTC_LOG_FORMAT="console")
    assert "started" in started
    assert "waiting" in waiting
    assert "worker=sender" in waiting
    assert SECRET not in started + waiting


def test_a_wrong_setting_is_one_line_without_its_value(otc: Otc, settings: Settings) -> None:
    wrong = otc("worker", "watcher", **settings, OTC_WS_URL=f"https://user:{SECRET}@127.0.0.1")
    refused(wrong, "OTC_WS_URL must be ws://HOST or wss://HOST")
    assert SECRET not in wrong.output
    wrong = otc("worker", "watcher", **settings, OTC_MORE_RPC_URLS=f"https://{SECRET}")
    refused(wrong, "OTC_MORE_RPC_URLS must be a JSON list")
    assert SECRET not in wrong.output
    del settings["OTC_TOKEN"]
    refused(otc("worker", "watcher", **settings), "the setting token: Field required")
