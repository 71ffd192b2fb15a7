"""Bugs planted on purpose: each must be seen by its invariant, or the invariant proves nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from otc_sdk import messages
from sqlalchemy import update
from sqlmodel import col

from coordinator.adapters.chain.nodes import Agreed
from coordinator.adapters.chain.sender import Account
from coordinator.db.chain import Log
from coordinator.db.intents import Slot
from coordinator.domain.orders import Actor, Event, OrderStatus
from coordinator.services import (
    chain,
    cosigning,
    disputes,
    escrows,
    ledger,
    orders,
    reconciliation,
    sending,
)
from coordinator.services.order_log import record
from coordinator.services.orders import both_signed
from tests.simulation.world import Weather

ROUGH = replace(
    Weather.of(Random(0)), nodes=1, liar=None, kinds=(), finality=4, fault_rate=0.0,
    interruption_rate=0.0, max_skew_seconds=0,
)  # fmt: skip


@dataclass(frozen=True)
class Plant:
    """A bug, the invariant that must see it, and weather in which it shows."""

    bug: Callable[[], AbstractContextManager[object]]
    invariant: str
    weather: Weather = ROUGH


@contextmanager
def orphans_forgotten() -> Iterator[None]:
    """After a reorg, the logs of the blocks that vanished still count."""
    real = chain.rewind

    def rewind(session: Any, platform: Any, epoch: int, ancestor: Any, now: int, *more: Any) -> int:
        depth = real(session, platform, epoch, ancestor, now, *more)
        session.exec(
            update(Log).where(col(Log.block_number) > ancestor.number).values(orphaned=False)
        )
        return depth

    with patch.object(chain, "rewind", rewind):
        yield


@contextmanager
def paid_on_seen() -> Iterator[None]:
    """The buyer is told to pay as soon as a deposit is seen."""

    def begin_payment(session: Any, order: Any, escrow: Any, now: int, time: int) -> None:
        seen = escrow.seen_units >= order.amount_units and order.status == OrderStatus.PENDING
        if seen and both_signed(session, order.id):
            record(session, order, Event.DEPOSIT_FINAL, Actor.CHAIN, "seen", now)

    with (
        patch.object(orders, "begin_payment", begin_payment),
        patch.object(escrows, "begin_payment", begin_payment),
        patch.object(reconciliation, "begin_payment", begin_payment),
    ):
        yield


@contextmanager
def seen_in_ledger() -> Iterator[None]:
    """Transfers are posted before they are final."""
    real = ledger.post_final

    def post_final(session: Any, chain_id: int, final_number: int) -> int:
        return real(session, chain_id, final_number + 3)

    with patch.object(ledger, "post_final", post_final):
        yield


@contextmanager
def posted_twice() -> Iterator[None]:
    """A transfer's postings are of twice its units."""
    real = ledger.transfer_postings

    def transfer_postings(
        token: str, sender: str, recipient: str, units: int, vaults: dict[str, str]
    ) -> Any:
        return real(token, sender, recipient, 2 * units, vaults)

    with patch.object(ledger, "transfer_postings", transfer_postings):
        yield


@contextmanager
def cosigned_at_head() -> Iterator[None]:
    """The co-signer takes the newest block for final."""
    real = cosigning.require_chain

    def require_chain(policy: Any, node: Any, *more: Any) -> None:
        eager = SimpleNamespace(
            has_code=node.has_code, token_balance=node.token_balance, final_head=node.head,
            escrow_state=node.escrow_state,
        )  # fmt: skip
        real(policy, eager, *more)

    with patch.object(cosigning, "require_chain", require_chain):
        yield


@contextmanager
def cosigned_without_consent() -> Iterator[None]:
    """Nobody checks the signature of the trader who gives way."""
    with patch.object(messages, "check", lambda *_: None):
        yield


@contextmanager
def sent_before_kept() -> Iterator[None]:
    """The signed bytes go out before they are committed."""
    real = Account.sign

    def sign(self: Account, *arguments: Any) -> Any:
        signed = real(self, *arguments)
        self.broadcast(signed.raw)
        return signed

    with patch.object(Account, "sign", sign):
        yield


@contextmanager
def watchtower_asleep() -> Iterator[None]:
    """Nobody meets a seller's refund request with the buyer's dispute."""
    with (
        patch.object(disputes, "watch", lambda *_: None),
        patch.object(disputes, "open_dispute", lambda *_: None),
    ):
        yield


@contextmanager
def used_nonce_is_success() -> Iterator[None]:
    """A nonce that somebody else used is taken for our own transaction, mined."""

    def nonce_lost(session: Any, slot_id: int, now: int) -> None:
        session.get_one(Slot, slot_id).status = "final"
        for intent in sending.intents_of(session, slot_id):
            intent.status = "final"

    with patch.object(sending, "nonce_lost", nonce_lost):
        yield


@contextmanager
def first_node_believed() -> Iterator[None]:
    """What one node says is taken for what all say."""

    def same(self: Agreed, method: str, *arguments: Any, **_: Any) -> Any:
        ((name, node), *_) = self.pool.members
        return self.pool.ask(name, node, method, *arguments)

    with patch.object(Agreed, "same", same):
        yield


LYING = replace(ROUGH, nodes=2, liar=1)
PLANTS = {
    "orphans-forgotten": Plant(orphans_forgotten, "the books are the chain's"),
    "paid-on-seen": Plant(paid_on_seen, "told to pay"),
    "seen-in-ledger": Plant(seen_in_ledger, "the ledger is the chain's"),
    "posted-twice": Plant(posted_twice, "the ledger is the chain's"),
    "cosigned-at-head": Plant(cosigned_at_head, "co-signed only for a vault"),
    "cosigned-without-consent": Plant(cosigned_without_consent, "the giver's consent"),
    "sent-before-kept": Plant(
        sent_before_kept, "broadcast is in the books", replace(ROUGH, interruption_rate=0.5)
    ),
    "watchtower-asleep": Plant(watchtower_asleep, "a buyer who paid is defended"),
    "used-nonce-is-success": Plant(used_nonce_is_success, "every order ends"),
    "first-node-believed": Plant(first_node_believed, "no chain halts", LYING),
}
