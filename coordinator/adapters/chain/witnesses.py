"""What any node says by itself: enough to defend somebody, for nothing else."""

from collections.abc import Callable, Sequence
from itertools import islice
from threading import Lock, Thread
from typing import Any

import structlog

from coordinator.adapters.chain.nodes import Health, Pool
from coordinator.services.ports import ChainReader, NodeDown

log = structlog.get_logger()
# Then a node is not asked about the other orders, this time.
MAX_FAILURES_IN_ROW = 3


def in_background(act: Callable[..., None], *arguments: Any) -> None:
    """Whoever ends the process does not wait for a node."""
    Thread(target=act, args=arguments, daemon=True).start()


class NodeWitnesses:
    """Each node is asked one thing at a time, in a thread of its own.

    So nothing that a node says, hides or delays keeps another one from being heard.
    """

    def __init__(self, pool: Pool, start: Callable[..., None] = in_background) -> None:
        self.pool, self.start = pool, start
        self.at_work: set[int] = set()
        # As keys: two nodes say the same, and who goes on talking must not push in.
        self.said: dict[str, None] = {}
        self.lock = Lock()

    def ask(self, escrow: str, order_ids: Sequence[str]) -> None:
        """Ask about these orders all nodes that are not still at those of before."""
        for number in range(len(self.pool.members)):
            if number not in self.at_work:
                self.at_work.add(number)
                self.start(self.hear, number, escrow, order_ids)

    def hear(self, number: int, escrow: str, order_ids: Sequence[str]) -> None:
        """All that one node has to say."""
        health, node = self.pool.members[number]
        try:
            self.hear_all(health, node, escrow, order_ids)
        finally:
            self.at_work.discard(number)

    def hear_all(
        self, health: Health, node: ChainReader, escrow: str, order_ids: Sequence[str]
    ) -> None:
        failures, reason = 0, ""
        for order_id in order_ids:
            try:
                state = self.pool.ask(health, node, "escrow_state", escrow, order_id)
            except NodeDown as error:
                failures, reason = failures + 1, str(error)
                if failures == MAX_FAILURES_IN_ROW:
                    break
                continue
            failures = 0
            if state.refund_requested_at:
                with self.lock:
                    self.said[order_id] = None
        if reason:
            log.warning("a witness failed", node=health.name, reason=reason)

    def heard(self, limit: int) -> list[str]:
        """Orders whose refund was requested by a node's word; what was said first comes first."""
        with self.lock:
            taken = list(islice(self.said, limit))
            for order_id in taken:
                del self.said[order_id]
        return taken
