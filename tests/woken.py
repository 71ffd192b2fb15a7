"""What a listener calls, for tests.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import threading

# Long enough for a busy machine; nothing waits for it to pass.
PATIENCE_SECONDS = 20


class Woken:
    """Counts, and lets a test wait for a count."""

    def __init__(self) -> None:
        self.count, self.changed = 0, threading.Condition()

    def __call__(self) -> None:
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def reaches(self, count: int, seconds: float = PATIENCE_SECONDS) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.count >= count, seconds)
