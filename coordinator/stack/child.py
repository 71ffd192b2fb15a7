"""A child process that is logged to a file, restarted when it dies, and never outlives us."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from otc_sdk.errors import OtcError

from coordinator.stack.interrupts import INTERRUPTS

STOP_SECONDS = 10
MIN_BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 10.0
# A child that ran this long was well; its next death starts from the shortest wait again.
WELL_AFTER_SECONDS = 30
PR_SET_PDEATHSIG = 1


class ChildFailed(OtcError):
    """A child ended while it was needed."""


def die_with_parent(number: int) -> Callable[[], None]:
    """On Linux the kernel sends the child this signal even if we are killed outright.

    It does so when the thread ends that started the child: start children in the main thread.
    """
    parent = os.getpid()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def ask() -> None:
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, number)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return ask


class Child:
    """`user` is the system's user to run as, `ending` the signal that asks it to end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        user: str | None = None,
        ending: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.command, self.env, self.log = name, list(command), dict(env), log
        self.user, self.ending = user, ending
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.restart_at: float | None = None
        self.backoff = MIN_BACKOFF_SECONDS
        # Restarts since it was last well.
        self.restarts = 0

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as sink, INTERRUPTS.hold():
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                self.command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                # Ctrl-C goes to us alone; we end the children in order.
                start_new_session=True,
                user=self.user,
                preexec_fn=die_with_parent(self.ending),
            )
        self.started_at, self.restart_at = time.monotonic(), None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise ChildFailed(f"{self.name} was not started")
        return self.process.pid

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def revive(self) -> bool:
        """Restart a dead child once its wait is over; True if it was restarted now."""
        if self.alive():
            return False
        now = time.monotonic()
        if self.restart_at is None:
            if now - self.started_at >= WELL_AFTER_SECONDS:
                self.backoff, self.restarts = MIN_BACKOFF_SECONDS, 0
            self.restart_at = now + self.backoff
            self.backoff = min(self.backoff * 2, MAX_BACKOFF_SECONDS)
        if now < self.restart_at:
            return False
        self.restarts += 1
        self.start()
        return True

    def ask_to_end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.ending)

    def stop(self) -> None:
        """Ask it to end, and make it end after STOP_SECONDS."""
        if self.process is None:
            return
        self.ask_to_end()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_SECONDS)

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, for errors."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])


def stop_all(children: Sequence[Child]) -> None:
    """Ask all at once, then wait for each."""
    for child in children:
        child.ask_to_end()
    for child in children:
        child.stop()
