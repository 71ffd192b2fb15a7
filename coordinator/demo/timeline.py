"""What happened, who did it, in which transaction and for how much gas."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """`seconds` since the demo began; `tx_hash` and `gas` only for transactions."""

    seconds: float
    order: str
    who: str
    what: str
    tx_hash: str | None = None
    gas: int | None = None


class Timeline:
    """Collects events from all scenarios and shows each as it comes."""

    def __init__(self, show: Callable[[Event], None]) -> None:
        self.show = show
        self.events: list[Event] = []
        self.began = time.monotonic()
        self.lock = threading.Lock()

    def add(
        self, order: str, who: str, what: str, tx_hash: str | None = None, gas: int | None = None
    ) -> None:
        with self.lock:
            seconds = round(time.monotonic() - self.began, 1)
            event = Event(seconds, order, who, what, tx_hash, gas)
            self.events.append(event)
            self.show(event)
