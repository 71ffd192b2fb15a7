"""Ctrl-C and SIGTERM, which must not get lost."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Raises KeyboardInterrupt where the program is, and again at `check`.

    Python prints and drops an exception that is raised in a finaliser; this prints nothing then,
    and `check` makes up for it.
    """

    def __init__(self) -> None:
        self.asked = False
        self.held = False

    def listen(self) -> None:
        self.asked = False
        for number in SIGNALS:
            signal.signal(number, self.interrupt)
        sys.unraisablehook = self.drop

    def interrupt(self, *_: Any) -> None:
        self.asked = True
        if not self.held:
            raise KeyboardInterrupt

    def check(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def hold(self) -> Iterator[None]:
        """An interrupt that comes within is raised at the end.

        For a fork: Python drops what is raised in its fork handlers, where logging frees its lock.
        """
        self.held = True
        try:
            yield
        finally:
            self.held = False
        self.check()

    @staticmethod
    def drop(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(unraisable)

    def ignore(self) -> None:
        """From now on everything is being ended; impatience would leave something running."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


# A process has one handler a signal.
INTERRUPTS = Interrupts()
