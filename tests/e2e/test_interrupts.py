"""Ctrl-C at the moments at which Python prints and forgets it."""

import subprocess
import sys

import pytest

FORK_SECONDS = 30
START = """
import os, signal, weakref
from pathlib import Path
from coordinator.stack.child import Child
from coordinator.stack.interrupts import INTERRUPTS

INTERRUPTS.listen()
child = Child("sleeper", ["sleep", "60"], os.environ, Path(os.devnull))
"""
# What logging does at a fork, but that the interrupt always comes meanwhile.
AT_A_FORK = """
os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
try:
    child.start()
except KeyboardInterrupt:
    print("interrupted, child known:", child.alive())
child.stop()
"""
IN_A_FINALISER = """
class Thing: pass
thing = Thing()
weakref.finalize(thing, signal.raise_signal, signal.SIGTERM)
del thing
try:
    INTERRUPTS.check()
except KeyboardInterrupt:
    print("interrupted")
"""
OTHER_FAULT = """
class Thing:
    def __del__(self): raise ValueError("a fault of ours")
Thing()
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", START + program],
        capture_output=True,
        text=True,
        timeout=FORK_SECONDS,
        check=True,
    )


@pytest.mark.parametrize(
    ("program", "printed"),
    [(AT_A_FORK, "interrupted, child known: True"), (IN_A_FINALISER, "interrupted")],
    ids=["at a fork", "in a finaliser"],
)
def test_the_interrupt_is_kept_and_nothing_else_is_printed(program: str, printed: str) -> None:
    done = run(program)
    assert (done.stdout.strip(), done.stderr) == (printed, "")


def test_other_faults_of_finalisers_are_still_printed() -> None:
    assert "ValueError: a fault of ours" in run(OTHER_FAULT).stderr
