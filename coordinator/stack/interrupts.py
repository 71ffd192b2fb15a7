"""Ctrl-C and SIGTERM, which must not get lost."""

import signal
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Raises KeyboardInterrupt where the program is, and again at `check`.

    Python drops an exception that is raised while it is in a finaliser; `check` makes up for it.
    """

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self.interrupt)

    def interrupt(self, *_: Any) -> None:
        self.asked = True
        raise KeyboardInterrupt

    def check(self) -> None:
        if self.asked:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on everything is being ended; impatience would leave something running."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
