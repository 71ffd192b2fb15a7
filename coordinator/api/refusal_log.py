"""What the co-signer turns away before it looks at an order: all is counted, little is logged."""

import threading
import time
from collections import Counter

import structlog

from coordinator.domain.errors import Refused
from coordinator.services import metrics

log = structlog.get_logger()
LOG_EVERY_SECONDS = 60


class RefusalLog:
    """Of each code a line at once, then one in LOG_EVERY_SECONDS: strangers must fill no disk.

    A line says how many came since the one before it, itself included.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.unlogged: Counter[str] = Counter()
        self.logged_at: dict[str, float] = {}

    def note(self, refusal: Refused) -> None:
        """`refusal` must quote nothing of the request."""
        metrics.COSIGN_REFUSALS.labels(refusal.code).inc()
        count = self.take(refusal.code)
        if count:
            log.warning(
                "cosign turned away", code=refusal.code, reason=refusal.message, count=count
            )

    def take(self, code: str) -> int:
        """How many are to be logged now; 0 if it is too soon."""
        with self.lock:
            self.unlogged[code] += 1
            now = time.monotonic()
            if now - self.logged_at.get(code, float("-inf")) < LOG_EVERY_SECONDS:
                return 0
            self.logged_at[code] = now
            return self.unlogged.pop(code)
