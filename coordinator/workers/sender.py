"""Carrying intents out, exactly once in effect.

The signed bytes are committed before they are broadcast; after a crash the same bytes go out again.
"""

from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import InterfaceError, OperationalError

from coordinator.db.intents import Intent, Slot
from coordinator.db.session import transaction
from coordinator.services import sending
from coordinator.services.ports import ChainSender, NodeDown, Receipt, Reverted

log = structlog.get_logger()
MAX_INTENTS_PER_STEP = 20
GAS_MARGIN_PERCENT = 150
REBROADCAST_AFTER_SECONDS = 5
REPLACE_AFTER_SECONDS = 60
MAX_ATTEMPTS = 10
# Every verb takes less than 400,000; more is a party's contract signature burning our coins.
MAX_GAS = 2_000_000
# Refusals that cannot pass. The others may: a node that lags, a paused token, a contract signer.
FINAL_REFUSALS = (
    "AlreadySettled", "AlreadyDisputed", "Expired", "ExceedsAmount", "InvalidTerms", "TooExpensive",
)  # fmt: skip
RETRY_REFUSED_SECONDS = 15
# What the node failed at, or what is over the fee ceiling, goes behind what waits meanwhile.
RETRY_HELD_UP_SECONDS = 5


class Sender:
    """One gas-paying key on one chain; an advisory lock keeps a second one out."""

    def __init__(
        self,
        engine: Engine,
        chain_id: int,
        node: ChainSender,
        final_number: Callable[[], int],
        now: Callable[[], int],
        escrow: str,
    ) -> None:
        self.engine, self.chain_id, self.node = engine, chain_id, node
        self.final_number, self.now, self.escrow = final_number, now, escrow
        self.lock: Connection | None = None

    def hold_lock(self) -> None:
        """Make sure that this process alone sends; the lock ends with its connection."""
        try:
            if self.lock is not None:
                self.lock.execute(text("select 1"))
                return
            self.lock = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            query = text("select pg_try_advisory_lock(hashtextextended(:key, 0))")
            key = f"sender:{self.chain_id}:{self.node.address}"
            held = bool(self.lock.execute(query, {"key": key}).scalar())
        except (OperationalError, InterfaceError):
            self.release_lock()
            raise
        if not held:
            self.release_lock()
            raise NodeDown(f"another sender works for {self.node.address}")

    def release_lock(self) -> None:
        """Close the connection itself: one that went back to the pool would keep the lock."""
        if self.lock is not None:
            self.lock.invalidate()
            self.lock.close()
            self.lock = None

    def step(self) -> bool:
        """Look after what is in flight, then send what is new."""
        self.hold_lock()
        with transaction(self.engine) as session:
            flying = sending.unfinished(session, self.chain_id, self.node.address)
            fresh = sending.pending(session, self.chain_id, self.now(), MAX_INTENTS_PER_STEP)
        final = self.final_number()
        for intent, slot in flying:
            self.alone(intent, partial(self.follow, intent, slot, final))
        for intent in fresh:
            self.alone(intent, partial(self.send, intent))
        return False

    def alone(self, intent: Intent, act: Callable[[], None]) -> None:
        """What the node refuses to do for one intent must not hold up the others."""
        try:
            act()
        except NodeDown as error:
            log.warning("held up", intent=intent.key, order_id=intent.order_id, error=str(error))
            self.postpone(intent, str(error), RETRY_HELD_UP_SECONDS)

    def send(self, intent: Intent) -> None:
        """Give a pending intent a nonce and broadcast it."""
        intent_id = intent.id or 0
        if intent.to != self.escrow:
            self.drop(intent, f"{intent.to} is not the escrow")
            return
        try:
            gas = self.node.simulate(intent.to, intent.data) * GAS_MARGIN_PERCENT // 100
            if gas > MAX_GAS:
                raise Reverted(f"TooExpensive(gas={gas}, most={MAX_GAS})")
        except Reverted as refusal:
            self.refused(intent, str(refusal))
            return
        count = self.node.transaction_count()
        with transaction(self.engine) as session:
            nonce = sending.next_nonce(session, self.chain_id, self.node.address, count)
            signed = self.node.sign(intent.to, intent.data, nonce, gas, None)
            sending.take_slot(session, intent_id, self.node.address, nonce, signed, self.now())
        self.broadcast(signed.tx_hash, signed.raw)

    def refused(self, intent: Intent, reason: str) -> None:
        """Drop what can never succeed; look at the rest again later."""
        if reason.startswith(FINAL_REFUSALS):
            self.drop(intent, reason)
        else:
            self.postpone(intent, reason, RETRY_REFUSED_SECONDS)

    def postpone(self, intent: Intent, reason: str, seconds: int) -> None:
        with transaction(self.engine) as session:
            sending.postpone(session, intent.id or 0, reason, self.now() + seconds)

    def drop(self, intent: Intent, reason: str) -> None:
        log.warning("obsolete", intent=intent.key, order_id=intent.order_id, reason=reason)
        with transaction(self.engine) as session:
            sending.obsolete(session, intent.id or 0, reason, self.now())

    def broadcast(self, tx_hash: str, raw: str) -> None:
        self.node.broadcast(raw)
        with transaction(self.engine) as session:
            sending.broadcasted(session, tx_hash, self.now())
        log.info("broadcast", tx_hash=tx_hash)

    def follow(self, intent: Intent, slot: Slot, final: int) -> None:
        """Receipt, rebroadcast or replacement of one intent in flight."""
        intent_id = intent.id or 0
        with transaction(self.engine) as session:
            attempts = sending.attempts(session, intent_id)
        receipt = self.find_receipt([a.tx_hash for a in attempts])
        if receipt is not None:
            with transaction(self.engine) as session:
                sending.mined(
                    session, intent_id, receipt, receipt.block_number <= final, self.now()
                )
            return
        if intent.status == "mined":
            with transaction(self.engine) as session:
                sending.vanished(session, intent_id)
        if self.node.transaction_count(final) > slot.nonce:
            with transaction(self.engine) as session:
                sending.nonce_lost(session, intent_id, self.now())
            return
        newest = attempts[0]
        now = self.now()
        if now - newest.signed_at >= REPLACE_AFTER_SECONDS and len(attempts) < MAX_ATTEMPTS:
            self.replace(intent, slot, newest.fees)
        elif now - (newest.broadcast_at or 0) >= REBROADCAST_AFTER_SECONDS:
            self.broadcast(newest.tx_hash, newest.raw)

    def find_receipt(self, tx_hashes: list[str]) -> Receipt | None:
        return next((r for h in tx_hashes if (r := self.node.receipt(h)) is not None), None)

    def replace(self, intent: Intent, slot: Slot, fees: dict[str, int]) -> None:
        """Sign the same intent and nonce again with higher fees."""
        gas = int(fees["gas"])
        signed = self.node.sign(intent.to, intent.data, slot.nonce, gas, fees)
        with transaction(self.engine) as session:
            sending.add_attempt(session, intent.id or 0, signed, self.now())
        self.broadcast(signed.tx_hash, signed.raw)
