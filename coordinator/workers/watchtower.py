"""Defending buyers who paid, by what any node says of their orders at its newest block.

It rests on no block that was read and on nothing final: one node can hide logs, or hold up both.
"""

from collections.abc import Callable

from sqlalchemy import Engine

from coordinator.db.session import transaction
from coordinator.domain.platform import Platform
from coordinator.services import chain, disputes
from coordinator.services.ports import Witnesses

# How often each node is asked; the shortest refund window has ten times as much.
WATCH_EVERY_SECONDS = 60
# Chance chooses among more.
MAX_ORDERS_PER_PASS = 1000
# A node may say of all orders at once that a refund was requested.
MAX_DEFENDED_PER_STEP = 50


class Watchtower:
    def __init__(
        self, engine: Engine, platform: Platform, witnesses: Witnesses, now: Callable[[], int]
    ) -> None:
        self.engine, self.platform = engine, platform
        self.witnesses, self.now = witnesses, now
        self.asked_at = 0

    def look(self, epoch: int) -> None:
        """Ask now and then, and defend whoever needs it by the answers so far. Raises EpochLost."""
        # Less than nothing has passed where the clock was set back.
        if not 0 <= self.now() - self.asked_at < WATCH_EVERY_SECONDS:
            self.asked_at = self.now()
            self.ask()
        for order_id in self.witnesses.heard(MAX_DEFENDED_PER_STEP):
            with transaction(self.engine) as session:
                chain.own_cursor(session, self.platform.domain.chain_id, epoch)
                disputes.defend(session, self.platform, order_id, self.now())

    def ask(self) -> None:
        with transaction(self.engine) as session:
            order_ids = disputes.to_defend(session, self.platform, self.now(), MAX_ORDERS_PER_PASS)
        if order_ids:
            self.witnesses.ask(self.platform.domain.escrow, order_ids)
