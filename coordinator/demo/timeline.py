"""What happened, who did it, in which transaction and for how much gas."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What the coordinator's own transactions do, by the first word of their key.
COORDINATOR_ACTS = {
    "settle": "sends the settlement",
    "dispute": "brings the dispute on chain",
}


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
        self.lock = threading.RLock()
        self.shown: set[tuple[str, str]] = set()

    def add(
        self, order: str, who: str, what: str, tx_hash: str | None = None, gas: int | None = None
    ) -> None:
        with self.lock:
            seconds = round(time.monotonic() - self.began, 1)
            event = Event(seconds, order, who, what, tx_hash, gas)
            self.events.append(event)
            self.show(event)

    def add_mined(self, order: str, transactions: list[dict[str, Any]]) -> None:
        """The coordinator's transactions for an order, each once, as soon as it is mined."""
        with self.lock:
            for sent in transactions:
                tx_hash = sent["tx_hash"]
                if tx_hash and (order, tx_hash) not in self.shown:
                    self.shown.add((order, tx_hash))  # one batch settles several orders
                    verb = sent["key"].split(":")[0]
                    act = COORDINATOR_ACTS.get(verb, f"sends: {verb}")
                    self.add(order, "coordinator", act, tx_hash, sent["gas_used"])
