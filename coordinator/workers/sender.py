"""Carrying intents out, exactly once in effect.

The signed bytes are committed before they are broadcast; after a crash the same bytes go out again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import structlog
from otc_sdk.calls import is_settle, join_settles
from sqlalchemy import Engine
from structlog.contextvars import bound_contextvars

from coordinator.db.intents import Intent
from coordinator.db.process_lock import LockTaken, ProcessLock
from coordinator.db.session import transaction
from coordinator.domain import batches, fees, gas
from coordinator.services import claims, sender_keys, sending
from coordinator.services.claims import is_agreement, is_dispute
from coordinator.services.ports import Call, ChainSender, FeeTooHigh, NodeDown, Reverted
from coordinator.services.sending import Taken
from coordinator.workers.flight import Flight

log = structlog.get_logger()
MAX_INTENTS_PER_STEP = 20
# Unconfirmed transactions of a key: nodes promise to keep no more of one account (geth: 16).
MAX_IN_FLIGHT = 16
# The last of them are for disputes: a queue of settlements must not delay one.
DISPUTES_IN_FLIGHT = 4
# A contract's signature can be good when tried and bad when mined. Then its traders send, and pay.
MAX_REVERTED_SETTLEMENTS, MAX_REVERTED_DISPUTES = 10, 3
# Then what was found good is sent: a signer's contract can take its time. Shorter than a claim.
MAX_EXAMINING_SECONDS = 5
# Refusals of our own that end a settlement: its traders may sign another, or send it themselves.
OWN_REFUSALS = ("TooExpensive", "TooOften")
# The chain's may pass: a block that vanishes, a node that lags or lies, a paused token. What they
# refuse is tried again after a tenth of the time that it has waited, within these bounds.
RETRY_REFUSED_SECONDS, MAX_RETRY_SECONDS, WAITED_SHARE = 15, 600, 10
# What the node failed at, or what is over a ceiling, goes behind what waits meanwhile.
RETRY_HELD_UP_SECONDS = 5
MAX_DAY_FEE_WEI = 10**18
# A dispute that needs more is a contract's signature: it has no way around the day's ceiling.
MAX_EXEMPT_GAS = 300_000
# How often a key without work looks at its coins and its nonces.
LOOK_SECONDS = 30


@dataclass(frozen=True)
class Ready:
    """An intent that the chain would take, and the gas it needs alone."""

    intent: Intent
    estimate: int

    def may_join(self) -> bool:
        return batches.may_join(self.estimate, self.intent.alone)


@dataclass(frozen=True)
class Batch:
    """A call for several settlements; `items` are those that it would settle."""

    call: Call
    items: Sequence[Ready]
    gas_used: int

    def pays(self) -> bool:
        return len(self.items) > 1 and self.gas_used < sum(r.estimate for r in self.items)


def about(intents: Sequence[Intent]) -> AbstractContextManager[None]:
    """Whatever is logged meanwhile names the orders of these intents."""
    return bound_contextvars(order_ids=sorted(intent.order_id for intent in intents))


class Sender:
    """One gas-paying key on one chain; an advisory lock keeps a second one out.

    Several keys share the intents: each claims what it works on.
    """

    def __init__(
        self,
        engine: Engine,
        chain_id: int,
        node: ChainSender,
        final_number: Callable[[], int],
        now: Callable[[], int],
        escrow: str,
        max_day_fee_wei: int = MAX_DAY_FEE_WEI,
        max_gas: int = gas.MAX_GAS,
    ) -> None:
        self.engine, self.chain_id, self.node = engine, chain_id, node
        self.now, self.escrow = now, escrow
        self.max_day_fee_wei, self.max_gas = max_day_fee_wei, max_gas
        self.flight = Flight(engine, chain_id, node, final_number, now, max_day_fee_wei)
        self.lock = ProcessLock(engine, f"sender:{chain_id}:{node.address}")
        # Whether another node should be asked first: this one's answers led nowhere.
        self.doubts = False
        # As of the newest look.
        self.looked_at, self.count, self.in_flight = 0, 0, 0
        self.fees: fees.Fees = {}

    def hold_lock(self) -> None:
        """Make sure that this process alone sends from this key."""
        try:
            self.lock.hold()
        except LockTaken as taken:
            raise NodeDown(f"another sender works for {self.node.address}") from taken

    def step(self) -> bool:
        """Send what is new, then look after what is in flight; True if more waits."""
        self.hold_lock()
        if self.doubts or self.flight.doubts:
            self.node.turn()
            self.doubts = self.flight.doubts = False
        with transaction(self.engine) as session:
            due = claims.any_due(session, self.chain_id, self.now())
        idle = self.now() - self.looked_at >= LOOK_SECONDS
        more = self.send_new(due) if due or idle else False
        self.flight.follow_all(look_back=idle)
        return more

    def send_new(self, due: bool) -> bool:
        """Claim and send; a key that cannot pay leaves the work to others."""
        condition = self.look()
        if not due or condition == "empty":
            return False
        more = self.take_up(self.send_disputes, disputes=True)
        if condition not in ("full", "over_budget"):
            more = self.take_up(self.send_settlements, disputes=False) or more
        return more and self.room() > 0

    def take_up(self, send: Callable[[Sequence[Intent]], None], disputes: bool) -> bool:
        """Claim what waits of one kind, however much of the other does; True if more may wait."""
        with transaction(self.engine) as session:
            claimed = claims.claim(
                session, self.chain_id, self.node.address, self.now(), MAX_INTENTS_PER_STEP,
                disputes,
            )  # fmt: skip
        try:
            send(claimed)
        finally:
            with transaction(self.engine) as session:
                claims.release(session, self.node.address, claimed)
        return len(claimed) == MAX_INTENTS_PER_STEP

    def look(self) -> str:
        """How key and fees are; kept where the operator sees it, logged when it changes."""
        address, now = self.node.address, self.now()
        self.fees, self.count = self.node.quote(), self.node.transaction_count("pending")
        balance = self.node.balance()
        with transaction(self.engine) as session:
            self.in_flight = sending.unconfirmed(session, self.chain_id, address)
            in_flight_wei = sender_keys.in_flight_wei(session, self.chain_id, address)
            day = sender_keys.counted_of_day(session, self.chain_id, now, self.max_day_fee_wei)
            condition = fees.condition_of(balance, in_flight_wei, self.fees)
            if condition != "empty" and self.room() <= 0:
                condition = "full"
            elif condition != "empty" and day.over(fees.usual_wei(self.fees), self.max_day_fee_wei):
                condition = "over_budget"
            changed = sender_keys.report(session, self.chain_id, address, balance, condition, now)
        if changed:
            say = log.info if condition == "ok" else log.warning
            say("key", address=address, condition=condition, balance_wei=balance)
        if condition in ("empty", "over_budget"):
            self.doubts = True
        self.looked_at = now
        return condition

    def room(self) -> int:
        """How many more transactions may be in flight; a dispute finds some more."""
        return MAX_IN_FLIGHT - DISPUTES_IN_FLIGHT - self.in_flight

    def send_disputes(self, claimed: Sequence[Intent]) -> None:
        """Each at once."""
        for found in self.examined(claimed):
            if self.room() + DISPUTES_IN_FLIGHT > 0:
                self.send_alone(found)

    def send_settlements(self, claimed: Sequence[Intent]) -> None:
        """When all are known, for some may go together."""
        for found in self.send_batches(list(self.examined(claimed))):
            if self.room() > 0:
                self.send_alone(found)

    def send_alone(self, found: Ready) -> None:
        with self.held_up([found.intent]):
            self.send([found], Call(found.intent.to, found.intent.data), found.estimate)

    def examined(self, intents: Sequence[Intent]) -> Iterator[Ready]:
        """Those that are to be sent now, as long as looking at them takes no longer than it may."""
        until = self.now() + MAX_EXAMINING_SECONDS
        for intent in intents:
            if self.now() > until:
                return
            found = None
            with self.held_up([intent]):
                found = self.examine(intent)
            if found is not None:
                yield found

    @contextmanager
    def held_up(self, intents: Sequence[Intent]) -> Iterator[None]:
        """What is refused for some intents must not hold up the others; all that is logged names
        their orders.
        """
        with about(intents):
            try:
                yield
            except Taken as error:
                log.info("taken", error=str(error))
            except (NodeDown, FeeTooHigh) as error:
                self.doubts = True
                for intent in intents:
                    # What waits for a cheaper time is logged once, not at each look.
                    if isinstance(error, NodeDown) or not intent.reason:
                        log.warning("held up", intent=intent.key, order_id=intent.order_id,
                                    error=str(error))  # fmt: skip
                    self.postpone(intent, str(error), RETRY_HELD_UP_SECONDS)

    def examine(self, intent: Intent) -> Ready | None:
        """The intent with its gas, or None if it is not to be sent now."""
        if intent.to != self.escrow:
            self.drop(intent, f"{intent.to} is not the escrow")
            return None
        try:
            self.require_patience(intent)
            estimate = self.node.simulate(Call(intent.to, intent.data))
            if gas.with_margin(estimate) > self.max_gas:
                raise Reverted(f"TooExpensive(gas={estimate}, most={self.max_gas})")
        except Reverted as refusal:
            self.refused(intent, str(refusal))
            return None
        return Ready(intent, estimate)

    def require_patience(self, intent: Intent) -> None:
        """Raise Reverted if too many like it were paid for in vain. A default is nobody's fault."""
        if not is_dispute(intent) and not is_agreement(intent):
            return
        most = MAX_REVERTED_DISPUTES if is_dispute(intent) else MAX_REVERTED_SETTLEMENTS
        reverted = self.count_reverted(intent)
        if reverted >= most:
            raise Reverted(f"TooOften(reverted={reverted}, most={most})")

    def count_reverted(self, intent: Intent) -> int:
        with transaction(self.engine) as session:
            return sending.count_reverted(session, intent)

    def send_batches(self, ready: Sequence[Ready]) -> list[Ready]:
        """Send together what is cheaper together; return what is to go alone.

        What contracts signed goes apart: it has a ceiling of its own.
        """
        joining = [r for r in ready if is_settle(r.intent.data) and r.may_join()]
        singles = [r for r in ready if r not in joining]
        by_contracts = [r for r in joining if r.intent.contract_signers]
        by_keys = [r for r in joining if not r.intent.contract_signers]
        return [*singles, *self.send_alike(by_keys), *self.send_alike(by_contracts)]

    def send_alike(self, joining: Sequence[Ready]) -> list[Ready]:
        """Batches of these; returns what is to go alone."""
        singles: list[Ready] = []
        most_gas = self.node.max_fee_wei // max(fees.price(self.fees), 1)
        while self.room() > 0:
            length = batches.length([r.estimate for r in joining], most_gas)
            if length == 0:
                break
            with about([r.intent for r in joining[:length]]):
                singles += self.send_batch(joining[:length])
            joining = joining[length:]
        return [*singles, *joining]

    def send_batch(self, items: Sequence[Ready]) -> list[Ready]:
        """Return the items that the batch would fail, or all if they are not cheaper together."""
        try:
            batch = self.try_batch(items)
            if batch is not None and len(batch.items) < len(items):
                batch = self.try_batch(batch.items)
        except (NodeDown, Reverted) as error:
            log.warning("no batch", error=str(error))
            return list(items)
        if batch is None or not batch.pays():
            return list(items)
        with self.held_up([r.intent for r in batch.items]):
            try:
                self.send(batch.items, batch.call, batch.gas_used)
            except FeeTooHigh as error:  # which one of them may not be
                log.info("no batch", error=str(error))
                return list(items)
        return [r for r in items if r not in batch.items]

    def try_batch(self, items: Sequence[Ready]) -> Batch | None:
        """How the items would go together; None if the node cannot tell. Raises Reverted."""
        joined = join_settles([bytes.fromhex(r.intent.data[2:]) for r in items])
        call = Call(self.escrow, "0x" + joined.hex())
        trial = self.node.try_batch(call, batches.gas_limit([r.estimate for r in items]))
        if trial is None:
            return None
        return Batch(call, [r for r in items if r.intent.order_id in trial.settled], trial.gas_used)

    def send(self, items: Sequence[Ready], call: Call, estimate: int) -> None:
        """Give intents a nonce and broadcast them. Raises NodeDown, FeeTooHigh or Taken."""
        singles = [r.estimate for r in items]
        limit = batches.gas_limit(singles) if len(items) > 1 else gas.with_margin(estimate)
        intents, address, now = [r.intent for r in items], self.node.address, self.now()
        with transaction(self.engine) as session:
            nonce = sending.next_nonce(session, self.chain_id, address, self.count)
            signed = self.node.sign(call, nonce, limit, self.fees)
            # Whom a dispute defends must not pay for others' settlements; once, for nothing.
            exempt = is_dispute(intents[0]) and estimate <= MAX_EXEMPT_GAS
            by_contract = any(intent.contract_signers for intent in intents)
            if not exempt or sending.count_reverted(session, intents[0]):
                sending.require_budget(
                    session, self.chain_id, signed.max_fee_wei, self.max_day_fee_wei, now,
                    by_contract,
                )  # fmt: skip
            slot = sending.new_slot(
                self.chain_id, address, nonce, call, (estimate, sum(singles)), now, by_contract
            )
            sending.take_slot(session, slot, intents, signed, now)
        self.in_flight += 1
        self.flight.broadcast(signed.tx_hash, signed.raw)

    def refused(self, intent: Intent, reason: str) -> None:
        """Drop what can never succeed; look at the rest again later, less and less often.

        A dispute defends somebody within the seller's refund window: it is never dropped at a
        node's word, and always tried again soon.
        """
        dispute, ours = is_dispute(intent), reason.startswith(OWN_REFUSALS)
        with transaction(self.engine) as session:
            over = sending.is_over(session, intent.id or 0)
        if over or (ours and is_agreement(intent)):
            self.drop(intent, reason)
            return
        waited = 0 if dispute else (self.now() - intent.created_at) // WAITED_SHARE
        seconds = max(RETRY_REFUSED_SECONDS, min(waited, MAX_RETRY_SECONDS))
        self.postpone(intent, reason, seconds)

    def postpone(self, intent: Intent, reason: str, seconds: int) -> None:
        with transaction(self.engine) as session:
            claims.postpone(session, intent.id or 0, reason, self.now() + seconds)

    def drop(self, intent: Intent, reason: str) -> None:
        log.warning("obsolete", intent=intent.key, order_id=intent.order_id, reason=reason)
        with transaction(self.engine) as session:
            sending.obsolete(session, intent.id or 0, reason, self.now())
