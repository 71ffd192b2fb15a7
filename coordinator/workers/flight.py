"""What is in flight from one key: receipts, rebroadcasts, replacements, gaps among its nonces."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

import structlog
from otc_sdk.calls import is_batch
from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from coordinator.db.intents import Attempt, Slot
from coordinator.db.session import transaction
from coordinator.domain import fees, gas
from coordinator.services import chain, metrics, sending
from coordinator.services.ports import Call, ChainSender, FeeTooHigh, NodeDown, Receipt, Reverted

log = structlog.get_logger()
REBROADCAST_AFTER_SECONDS = 5
MAX_FILLERS_PER_STEP = 16


class Flight:
    """Follows the unfinished transactions of one key until they are final.

    Whatever is logged of one names the orders that it carries.
    """

    def __init__(
        self,
        engine: Engine,
        chain_id: int,
        node: ChainSender,
        final_number: Callable[[], int],
        now: Callable[[], int],
        max_day_fee_wei: int,
    ) -> None:
        self.engine, self.chain_id, self.node = engine, chain_id, node
        self.final_number, self.now, self.max_day_fee_wei = final_number, now, max_day_fee_wei
        # Whether something went on so badly that another node should be asked first.
        self.doubts = False

    def follow_all(self, look_back: bool) -> None:
        """With `look_back`, also what had been final."""
        with transaction(self.engine) as session:
            slots = sending.unfinished(session, self.chain_id, self.node.address)
            orders = sending.orders_of(session, slots)
        if not slots and not look_back:
            return
        count, final = self.node.transaction_count(), self.final_number()
        if look_back:
            self.look_back(count, final)
        for slot in slots:
            with bound_contextvars(order_ids=orders[slot.id]):
                self.alone(slot.nonce, partial(self.follow, slot, count, final))
        for nonce in self.gaps(slots, count):
            self.alone(nonce, partial(self.fill, nonce))

    def alone(self, nonce: int, act: Callable[[], None]) -> None:
        """What the node refuses to do for one transaction must not hold up the others."""
        try:
            act()
        except (NodeDown, Reverted, FeeTooHigh) as error:
            self.doubts = True
            log.warning("held up", sender=self.node.address, nonce=nonce, error=str(error))

    def follow(self, slot: Slot, count: int, final: int) -> None:
        """One transaction; `count` is the first nonce that the newest block has not used."""
        slot_id, was_mined = slot.id or 0, slot.status == "mined"
        if count <= slot.nonce:
            if was_mined:
                self.vanished(slot)
            self.push(slot, first=count == slot.nonce)
            return
        if was_mined and (slot.block_number or 0) > final:
            return
        receipt = self.find_receipt(slot_id)
        if receipt is not None:
            self.mined(slot, receipt, final)
        elif self.node.transaction_count(final) > slot.nonce:
            with transaction(self.engine) as session:
                sending.nonce_lost(session, slot_id, self.now())
        elif was_mined:
            self.vanished(slot)

    def find_receipt(self, slot_id: int) -> Receipt | None:
        """Of whichever attempt was mined."""
        with transaction(self.engine) as session:
            hashes = [attempt.tx_hash for attempt in sending.attempts(session, slot_id)]
        return next((r for h in hashes if (r := self.node.receipt(h)) is not None), None)

    def mined(self, slot: Slot, receipt: Receipt, final: int) -> None:
        """A receipt is final if its block is at or below the final one, and still the chain's.

        By the books, if they have that block: all nodes agreed on it.
        """
        number = receipt.block_number
        with transaction(self.engine) as session:
            known = chain.known_hash(session, self.chain_id, number)
        known = known or self.node.block_hash(number)
        is_final = number <= final and known == receipt.block_hash
        if is_final:
            with transaction(self.engine) as session:
                sending.require_effect(session, slot.id or 0, receipt)
        with transaction(self.engine) as session:
            kept = sending.mined(session, slot.id or 0, receipt, is_final, self.now())
        if is_final and is_batch(kept.data):
            log.info("batch", tx_hash=receipt.tx_hash, gas_used=receipt.gas_used,
                     gas_estimate=kept.gas_estimate, singles_gas=kept.singles_gas)  # fmt: skip

    def vanished(self, slot: Slot) -> None:
        log.warning("reorged", sender=slot.sender, nonce=slot.nonce, tx_hash=slot.tx_hash)
        with transaction(self.engine) as session:
            sending.vanished(session, slot.id or 0)

    def push(self, slot: Slot, first: bool) -> None:
        """Broadcast again what no block has, with higher fees if it is stuck."""
        with transaction(self.engine) as session:
            tried = sending.attempts(session, slot.id or 0)
        newest, now = tried[0], self.now()
        age = now - newest.signed_at
        if age >= fees.REPLACE_AFTER_SECONDS:
            self.doubts = True  # one node's low fees, or its old blocks, may be why
            today = self.node.quote()
            if fees.is_stuck(newest.fees, today, age, len(tried), first):
                newest = self.replace(slot, newest, today)
        if now - (newest.broadcast_at or 0) >= REBROADCAST_AFTER_SECONDS:
            self.broadcast(newest.tx_hash, newest.raw)

    def replace(self, slot: Slot, newest: Attempt, today: fees.Fees) -> Attempt:
        """Sign the same call and nonce again with higher fees; over the ceiling, it stays."""
        try:
            signed = self.node.sign(
                Call(slot.to, slot.data), slot.nonce, int(newest.fees["gas"]),
                fees.raised(newest.fees, today),
            )  # fmt: skip
        except FeeTooHigh as error:
            log.warning("stuck", sender=slot.sender, nonce=slot.nonce, error=str(error))
            return newest
        with transaction(self.engine) as session:
            return sending.add_attempt(session, slot.id or 0, signed, self.now())

    def broadcast(self, tx_hash: str, raw: str) -> None:
        """Whatever the node says, it is not asked again before REBROADCAST_AFTER_SECONDS."""
        try:
            self.node.broadcast(raw)
            metrics.BROADCASTS.inc()
            log.info("broadcast", tx_hash=tx_hash)
        finally:
            with transaction(self.engine) as session:
                sending.broadcasted(session, tx_hash, self.now())

    def gaps(self, slots: Sequence[Slot], count: int) -> list[int]:
        """Nonces that neither books, chain nor pool know, below one that waits for them."""
        top = max((slot.nonce for slot in slots if slot.status == "sent"), default=0)
        with transaction(self.engine) as session:
            past = sending.from_nonce(session, self.chain_id, self.node.address, count)
        known = {slot.nonce for slot in past}
        missing = (nonce for nonce in range(count, top) if nonce not in known)
        found = list(islice(missing, MAX_FILLERS_PER_STEP))
        pooled = self.node.transaction_count("pending") if found else 0
        return [nonce for nonce in found if nonce >= pooled]

    def fill(self, nonce: int) -> None:
        """Nothing, sent to ourselves, so that what comes after it can be mined.

        Out of the day's budget: a node that once counted wrong makes a gap as long as it likes.
        """
        call, now = Call(self.node.address, "0x"), self.now()
        estimate = self.node.simulate(call)
        signed = self.node.sign(call, nonce, gas.with_margin(estimate), self.node.quote())
        slot = sending.new_slot(
            self.chain_id, self.node.address, nonce, call, (estimate, estimate), now
        )
        with transaction(self.engine) as session:
            sending.require_budget(
                session, self.chain_id, signed.max_fee_wei, self.max_day_fee_wei, now
            )
            sending.take_slot(session, slot, [], signed, now)
        log.warning("gap filled", sender=self.node.address, nonce=nonce)
        self.broadcast(signed.tx_hash, signed.raw)

    def look_back(self, count: int, final: int) -> None:
        """Take up again what the books call final and the final chain does not have.

        A lagging node does not count: it must know the final block, and not our nonce.
        """
        with transaction(self.engine) as session:
            past = sending.from_nonce(session, self.chain_id, self.node.address, count)
        ended = [slot for slot in past if slot.status in ("final", "lost")]
        used = self.node.transaction_count(final) if ended else 0
        gone = [s for s in ended if used <= s.nonce and final >= (s.block_number or 0)]
        with transaction(self.engine) as session:
            orders = sending.orders_of(session, gone)
        for slot in gone:
            with bound_contextvars(order_ids=orders[slot.id]):
                self.vanished(slot)
