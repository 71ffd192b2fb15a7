"""What must hold after every step of a seed, and what must hold when all has healed.

The chain is the judge: its state is compared with the books, past the coordinator's own code.
"""

from collections import Counter
from enum import StrEnum
from typing import Any

from otc_sdk import messages
from otc_sdk.messages import recover
from otc_sdk.policy import State as OrderState
from otc_sdk.roles import Role
from otc_sdk.terms import Terms, digest

from coordinator.adapters.chain.nodes import Agreed
from coordinator.db.session import transaction
from coordinator.domain.errors import InvariantBroken
from coordinator.services import order_log
from coordinator.workers.replay import replay
from tests.simulation.abi import TOPIC_OF
from tests.simulation.actors import COORDINATOR, Consent
from tests.simulation.chain import Block
from tests.simulation.world import DOMAIN, PLATFORM, RICH_UNITS, TOKEN, WRONG_TOKEN, Simulation

SELLER_ALONE = (1).to_bytes(32, "big")


class Invariant(StrEnum):
    """What must hold. Each has a bug planted for it in plants.py."""

    CONSERVED = "tokens are conserved"
    NOT_BELOW_ZERO = "no balance is below zero"
    FINAL_IS_FINAL = "what the cursor calls final is final"
    BOOKS_FINAL = "the books are the chain's at the final block"
    BOOKS_SEEN = "the books are the chain's at the block seen"
    TOLD_TO_PAY = "a buyer is told to pay only for a vault that is full"
    COSIGNER_KEY = "the co-signer signs what it writes down"
    COSIGNED_NO_SPLIT = "the co-signer signs no splits"
    COSIGNED_WITH_CONSENT = "nothing is co-signed without the giver's consent"
    COSIGNED_FULL = "co-signed only for a vault that is full and final"
    SUM_ZERO = "postings sum to zero"
    LEDGER = "the ledger is the chain's at the final block"
    KEPT_BEFORE_SENT = "what was broadcast is in the books"
    NONCE_ONE_CALL = "a nonce carries one call"
    NO_HALT = "no chain halts while final blocks stay"
    AT_REST = "the world comes to rest"
    AT_HEAD = "the watcher arrives at the head"
    AT_FINAL = "the final mark arrives"
    LOG_WHOLE = "every order's log is whole"
    INTENT_NOT_STUCK = "no intent is stuck"
    EFFECT_ONCE = "a call takes effect once"
    DEFENDED = "a buyer who paid is defended"
    SETTLED_ENDED = "a settled order has ended"
    EVERY_ORDER_ENDS = "every order ends or waits for a named actor"
    REPLAYED = "a replay of the chain finds the books right"


class Violated(Exception):
    """An invariant does not hold; the message names it and its evidence."""

    def __init__(self, invariant: Invariant, evidence: str) -> None:
        super().__init__(f"{invariant}: {evidence}")
        self.invariant = invariant


def require(holds: bool, invariant: Invariant, evidence: Any) -> None:
    if not holds:
        raise Violated(invariant, str(evidence))


class Judge:
    """Checks one world. What was found right once is not looked at again."""

    def __init__(self, world: Simulation) -> None:
        self.world = world
        self.told_to_pay = 0
        self.cosigned = 0
        self.broadcast: set[str] = set()
        world.truth.on_block = conserved

    def rows(self, query: str, *values: Any) -> list[Any]:
        return self.world.hall.rows(query, *values)

    def after_step(self) -> None:
        cursors = self.rows("select number, hash, final_number, final_hash from chain_cursors")
        if not cursors:
            return
        (cursor,) = cursors
        final = self.block(cursor.final_number, cursor.final_hash)
        if self.world.halted:
            return
        require(final is not None, Invariant.FINAL_IS_FINAL, cursor)
        assert final is not None
        seen = self.block(cursor.number, cursor.hash)
        self.projections(seen, final)
        self.payments(final)
        self.cosignatures()
        self.ledger(final)
        self.nonces()
        self.once()
        self.defended()

    def block(self, number: int, block_hash: str) -> Block | None:
        blocks = self.world.truth.blocks
        if number < len(blocks) and blocks[number].hash == block_hash:
            return blocks[number]
        return None

    def projections(self, seen: Block | None, final: Block) -> None:
        """Each vault in the books is what the chain says: at the block seen, at the final one."""
        for row in self.rows(
            "select e.*, e.seen_units::text as seen, e.final_units::text as final_balance"
            " from escrows e"
        ):
            order_id = bytes.fromhex(row.order_id[2:])
            known = final.state.orders.get(order_id, OrderState())
            truth = (
                final.state.balance(TOKEN, row.vault), known.disputed_at,
                row.vault in final.state.code,
            )  # fmt: skip
            books = int(row.final_balance), row.final_disputed_at, row.final_settled_tx != ""
            require(books == truth, Invariant.BOOKS_FINAL,
                    (row.order_id, books, truth))  # fmt: skip
            if seen is None or not self.world.sees_truth:
                continue
            known = seen.state.orders.get(order_id, OrderState())
            truth_seen = (
                seen.state.balance(TOKEN, row.vault), known.refund_requested_at,
                known.disputed_at, row.vault in seen.state.code,
            )  # fmt: skip
            books_seen = (
                int(row.seen), row.refund_requested_at, row.disputed_at, row.settled_tx != "",
            )  # fmt: skip
            require(books_seen == truth_seen, Invariant.BOOKS_SEEN,
                    (row.order_id, books_seen, truth_seen))  # fmt: skip

    def payments(self, final: Block) -> None:
        """A buyer is told to pay only while the final chain holds the whole amount for them."""
        entries = self.rows(
            "select l.order_id, o.vault, o.amount_units::text as amount from order_log l"
            " join orders o on o.id = l.order_id where l.event = 'deposit_final'"
        )
        if len(entries) > self.told_to_pay:
            for row in entries:
                held = final.state.balance(TOKEN, row.vault)
                settled = row.vault in final.state.code
                require(held >= int(row.amount) or settled, Invariant.TOLD_TO_PAY,
                        (row.order_id, held))  # fmt: skip
        self.told_to_pay = len(entries)

    def cosignatures(self) -> None:
        """Signed only with the giving trader's true consent, for a vault full at a final block."""
        entries = self.rows(
            "select id, order_id, to_buyer_units::text as units, valid_until, signature"
            " from cosignatures where signature is not null and id > %s order by id",
            self.cosigned,
        )
        for row in entries:
            self.cosigned = row.id
            self.cosignature(row, int(row.units))

    def cosignature(self, row: Any, units: int) -> None:
        world, order_id = self.world, bytes.fromhex(row.order_id[2:])
        message = messages.settlement(DOMAIN, order_id, units, row.valid_until)
        signer = recover(digest(message), bytes.fromhex(row.signature[2:]))
        require(signer == COORDINATOR.address, Invariant.COSIGNER_KEY, row.id)
        (order,) = self.rows("select vault, terms from orders where id = %s", row.order_id)
        amount = Terms.from_dict(order.terms).amount_units
        require(units in (0, amount), Invariant.COSIGNED_NO_SPLIT, (row.order_id, units))
        giving = Role.BUYER if units == 0 else Role.SELLER
        consent = Consent(row.order_id, giving, units, row.valid_until)
        require(consent in world.consents, Invariant.COSIGNED_WITH_CONSENT,
                consent)  # fmt: skip
        final = world.truth.final.state
        held = final.balance(TOKEN, order.vault)
        full = held >= (amount if units else 1) or order.vault in final.code
        require(full, Invariant.COSIGNED_FULL, (row.order_id, held))

    def ledger(self, final: Block) -> None:
        """Every vault's account is its balance at the final block, and all postings sum to zero."""
        rows = self.rows("select account, token, sum(units)::text as units"
                         " from ledger_entries group by 1, 2")  # fmt: skip
        accounts = {(r.account, r.token): int(r.units) for r in rows}
        for token in (TOKEN, WRONG_TOKEN):
            total = sum(units for (_, t), units in accounts.items() if t == token)
            require(total == 0, Invariant.SUM_ZERO, (token, total))
        for order in self.rows("select id, vault from orders"):
            for token in (TOKEN, WRONG_TOKEN):
                books = accounts.get((f"vault:{order.id}", token), 0)
                truth = final.state.balance(token, order.vault)
                require(books == truth, Invariant.LEDGER,
                        (order.id, books, truth))  # fmt: skip

    def nonces(self) -> None:
        """What was broadcast is in the books; a nonce carries one call, however often signed."""
        new = set(self.world.truth.submitted) - self.broadcast
        if new:
            books = {row.tx_hash for row in self.rows("select tx_hash from intent_attempts")}
            require(new <= books, Invariant.KEPT_BEFORE_SENT, new - books)
            self.broadcast |= new
        calls: dict[tuple[str, int], bytes] = {}
        for sent in self.world.truth.submitted.values():
            key = sent.sender, sent.nonce
            first = calls.setdefault(key, sent.data)
            require(first == sent.data, Invariant.NONCE_ONE_CALL, key)

    # When all has healed

    def at_end(self) -> None:
        self.after_step()
        world = self.world
        (cursor,) = self.rows("select number, hash, final_number from chain_cursors")
        require(cursor.hash == world.truth.head.hash, Invariant.AT_HEAD, cursor)
        require(cursor.final_number == world.truth.final_number, Invariant.AT_FINAL, cursor)
        self.order_logs()
        self.intents()
        for row in world.order_rows():
            self.order_end(row)
        self.replayed()

    def order_logs(self) -> None:
        self.world.bury("api")
        for row in self.world.order_rows():
            try:
                with transaction(self.world.engine) as session:
                    order_log.read(session, row.id)
            except InvariantBroken as broken:
                raise Violated(Invariant.LOG_WHOLE, str(broken)) from broken

    def intents(self) -> None:
        """Nothing is stuck: what is not over says why."""
        for row in self.rows("select key, status, reason from intents"):
            over = row.status in ("final", "obsolete")
            waits = row.status == "pending" and row.reason
            require(bool(over or waits), Invariant.INTENT_NOT_STUCK, row)

    def once(self) -> None:
        """What an order's parties do takes effect once at most."""
        once = [TOPIC_OF[name] for name in ("Settled", "Disputed", "RefundRequested")]
        effects = Counter(
            event.topics
            for block in self.world.truth.blocks
            for _, _, event in block.events
            if event.topics[0] in once
        )
        for what, times in effects.items():
            require(times == 1, Invariant.EFFECT_ONCE, (what, times))

    def defended(self) -> None:
        """No seller takes back alone what a buyer has said to have paid."""
        paid = {row.id for row in self.world.order_rows() if row.paid_at is not None}
        for block in self.world.truth.blocks:
            for _, _, event in block.events:
                alone = event.topics[0] == TOPIC_OF["Settled"] and event.data[:32] == SELLER_ALONE
                require(not (alone and event.topics[1] in paid), Invariant.DEFENDED,
                        event.topics[-1])  # fmt: skip

    def replayed(self) -> None:
        """As `otc replay --from 0` does."""
        world = self.world
        found = replay(world.engine, PLATFORM, Agreed(world.pool()), 0, lambda *_: None)
        first = [(difference.kind, difference.where) for difference in found.differences[:3]]
        require(not first, Invariant.REPLAYED, first)

    def order_end(self, row: Any) -> None:
        """The order has ended, or somebody who can end it is named by its status."""
        state = self.world.truth.final.state
        settled = row.vault in state.code
        held = state.balance(TOKEN, row.vault)
        if settled:
            require(row.status in ("completed", "cancelled"), Invariant.SETTLED_ENDED, row)
            return
        short = row.status in IN_FLIGHT and held < int(row.amount_units)
        require(
            row.status in NAMED or short or row.vault in state.frozen,
            Invariant.EVERY_ORDER_ENDS,
            row,
        )


# Who can still end an order that is not settled after all its windows. A dispute ends by itself,
# and what was agreed for a full vault was sent: nobody need wait for these.
NAMED = {
    "awaiting_payment": "the seller asks for the refund",
    "paid": "the seller releases, or either disputes",
    "cancelled": "what came late is the seller's, who signs a refund with the buyer",
    "expired": "what came late is the seller's, who signs a refund with the buyer",
}
IN_FLIGHT = ("awaiting_release", "awaiting_refund")


def conserved(block: Block) -> None:
    """No token is made or lost, and no account is below zero, in any block."""
    for token in (TOKEN, WRONG_TOKEN):
        units = [u for (t, _), u in block.state.tokens.items() if t == token]
        require(min(units) >= 0, Invariant.NOT_BELOW_ZERO, block.number)
        require(sum(units) == RICH_UNITS * 2, Invariant.CONSERVED, block.number)
