"""`otc` as a process of its own, and proof that it leaves nothing running."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from tests.cli.command import OTC

MARK = "STACK_TEST_RUN"
READY_SECONDS = 120
DEMO_SECONDS = 300
# Ending everything takes two seconds; a busy machine gets more.
END_SECONDS = 30
# What a caller's environment must not bring along.
FOREIGN = ("OTC_", "DATABASE_URL")


@contextmanager
def folder() -> Iterator[Path]:
    """A data folder. Not pytest's own: the path of a Unix socket must be short."""
    path = Path(tempfile.mkdtemp(prefix="otc-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def hear_interrupts() -> None:
    """Programs that a shell starts in the background ignore SIGINT, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    """One `otc` command. As a context manager, it ends whatever the command has left."""

    def __init__(self, *arguments: object, **environ: str) -> None:
        self.mark = secrets.token_hex(8)
        env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by __exit__
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(  # noqa: S603
            [OTC, *map(str, arguments)],
            env={**env, MARK: self.mark, **environ},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.errors,
            start_new_session=True,
            preexec_fn=hear_interrupts,
        )
        self.family: dict[int, psutil.Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for left in self.running():
            with suppress(psutil.NoSuchProcess):
                left.kill()
        self.errors.close()
        self.output.close()

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read()

    def printed(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def running(self) -> list[psutil.Process]:
        """All processes of this run, wherever they were moved to: children of postgres too."""
        return [p for p in psutil.process_iter() if self.is_ours(p)]

    def is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if process.environ().get(MARK) == self.mark:
                self.family[process.pid] = process
                return True
            # PostgreSQL overwrites the environment of its processes with their titles.
            known = self.family.get(process.pid)
            return known == process or process.ppid() in self.family
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def names(self) -> list[str]:
        """Names of what runs: the last word of a worker's command line, else its program."""
        found = []
        for process in self.running():
            try:
                words = process.cmdline()
            except psutil.NoSuchProcess:
                continue
            found.append(words[-1] if "worker" in words else process.name())
        return found

    def wait(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s: {self.said()}") from None

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        """Exit code after a signal."""
        self.running()  # so that postgres is known before its parent ends
        self.process.send_signal(number)
        return self.wait(END_SECONDS)

    def require_nothing_left(self) -> None:
        """Nothing runs any more, but for what is just ending."""
        wait_until(lambda: not self.running(), END_SECONDS, f"the end of {self.names()}")

    def await_words(self, words: str, seconds: float = READY_SECONDS) -> None:
        wait_until(
            lambda: words in self.said() or words in self.printed() or not self.alive(),
            seconds,
            f"{words!r} in {self.said()}",
        )
        assert self.alive(), self.said()

    def alive(self) -> bool:
        return self.process.poll() is None

    def await_ready(self) -> dict[str, Any]:
        """What `otc up --json` prints when everything is up: one line."""
        wait_until(
            lambda: self.printed().endswith("\n") or not self.alive(), READY_SECONDS, "ready"
        )
        assert self.alive(), self.said()
        (line,) = self.printed().splitlines()
        ready: dict[str, Any] = json.loads(line)
        return ready


def require_refused(run: Run, *words: str) -> None:
    """Exit code 1, one error line with these words, and nothing is left running."""
    with run:
        assert run.wait(READY_SECONDS) == 1, run.said()
        lines = [line for line in run.said().splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, run.said()
        assert "Traceback" not in run.said()
        assert not run.printed()
        for word in words:
            assert word in lines[0], lines[0]
        run.require_nothing_left()


def demo_result(data_dir: Path, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The JSON of a whole demo that ended well and left nothing running."""
    with Run("demo", "--json", "--data-dir", data_dir, **(environ or {})) as run:
        assert run.wait(DEMO_SECONDS) == 0, run.said() + logs(data_dir)
        run.require_nothing_left()
        return result_of(run)


def result_of(run: Run) -> dict[str, Any]:
    """What `otc demo --json` printed; `said` is what it told people meanwhile."""
    result: dict[str, Any] = json.loads(run.printed())
    return {**result, "said": run.said()}


def logs(data_dir: Path, lines: int = 15) -> str:
    """The end of every log, for failures."""
    found = sorted((data_dir / "logs").glob("*.log"))
    ends = [(f.name, f.read_text(errors="replace").splitlines()[-lines:]) for f in found]
    return "\n".join(f"--- {name}\n" + "\n".join(end) for name, end in ends)


ENDS = {"a": "completed", "b": "cancelled", "c": "cancelled", "d": "completed", "e": "completed"}


def require_right(result: Mapping[str, Any]) -> None:
    """Five orders, their five ends, and every balance to the last unit."""
    assert result["ok"] is True
    assert {o["letter"]: o["end"] for o in result["orders"]} == ENDS
    shares = {o["letter"]: o["to_buyer_units"] for o in result["orders"]}
    amounts = {o["letter"]: o["amount_units"] for o in result["orders"]}
    assert shares == {**amounts, "b": 0, "c": 0, "e": amounts["e"] * 2 // 5}
    assert len(result["balances"]) == 16
    for balance in result["balances"]:
        assert balance["after_units"] == balance["expected_units"], balance
    require_once(result)


def require_once(result: Mapping[str, Any]) -> None:
    """The coordinator sent each order's transactions exactly once."""
    sent = {
        order["letter"]: [t["what"] for t in order["transactions"] if t["who"] == "coordinator"]
        for order in result["orders"]
    }
    dispute, settle = "brings the dispute on chain", "sends the settlement"
    assert sent == {
        "a": [settle], "b": [settle], "c": [], "d": [dispute, settle], "e": [dispute, settle],
    }  # fmt: skip
    for order in result["orders"]:
        hashes = [t["tx_hash"] for t in order["transactions"]]
        assert len(set(hashes)) == len(hashes)
