"""No more requests in a minute than were agreed."""

import threading
from collections.abc import Callable

from coordinator.domain.errors import Later

WINDOW_SECONDS = 60


class RequestRate:
    """Counts in windows of a minute; `monotonic` is a clock in seconds."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self.most, self.monotonic = most, monotonic
        self.lock = threading.Lock()
        self.window, self.count = 0, 0

    def require(self) -> None:
        """Count one request. Raises Later for one too many."""
        window = int(self.monotonic() // WINDOW_SECONDS)
        with self.lock:
            if window != self.window:
                self.window, self.count = window, 0
            self.count += 1
            if self.count > self.most:
                raise Later("too_many_requests", f"more than {self.most} requests in a minute")
