"""Bugs in reading the chain and in what follows from it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from sqlmodel import col, select, update

from coordinator.adapters.chain.nodes import Agreed, Ranked
from coordinator.db.chain import Log
from coordinator.db.orders import Order
from coordinator.db.session import transaction
from coordinator.domain import order_log as log_rules
from coordinator.domain.orders import Actor, Event, OrderStatus
from coordinator.services import (
    chain,
    disputes,
    escrows,
    order_log,
    orders,
    reconciliation,
    settlements,
)
from coordinator.services.order_log import record
from coordinator.services.orders import both_signed
from coordinator.services.ports import Header
from coordinator.workers.keeper import Keeper
from coordinator.workers.watcher import Watcher


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
def watchtower_asleep() -> Iterator[None]:
    """Nobody meets a seller's refund request with the buyer's dispute."""
    with (
        patch.object(disputes, "meet_refund_request", lambda *_: None),
        patch.object(disputes, "open_dispute", lambda *_: None),
    ):
        yield


@contextmanager
def first_node_believed() -> Iterator[None]:
    """What one node says is taken for what all say."""

    def all_same(self: Agreed, method: str, *arguments: Any, **_: Any) -> list[Any]:
        ((name, node), *_) = self.pool.members
        return [self.pool.ask(name, node, method, *arguments)]

    with patch.object(Agreed, "all_same", all_same):
        yield


@contextmanager
def lagging_node_halts() -> Iterator[None]:
    """A node that does not have the final block is taken for another chain."""

    def require_final(self: Watcher, number: int, expected: str) -> None:
        self.halt(f"no block {number} with hash {expected}")

    with patch.object(Watcher, "require_final", require_final):
        yield


@contextmanager
def newest_is_final() -> Iterator[None]:
    """The newest block is taken for final."""
    with patch.object(Agreed, "final_head", lambda self: self.head()):
        yield


@contextmanager
def final_logs_unread() -> Iterator[None]:
    """Of final blocks, no logs are asked for: what was seen of them is taken for invented."""
    with patch.object(Agreed, "logs_of_block", lambda *_: []):
        yield


@contextmanager
def head_avoided() -> Iterator[None]:
    """The watcher stays a block behind the head."""
    real = Ranked.head

    def head(self: Ranked) -> Header:
        before = self.header(max(0, real(self).number - 1))
        assert before is not None
        return before

    with patch.object(Ranked, "head", head):
        yield


@contextmanager
def final_head_avoided() -> Iterator[None]:
    """The final mark stays a block behind."""
    real = Agreed.common

    def common(self: Agreed, method: str) -> Header:
        before = self.header(max(0, real(self, method).number - (method == "final_head")))
        assert before is not None
        return before

    with patch.object(Agreed, "common", common):
        yield


@contextmanager
def logs_rewritten() -> Iterator[None]:
    """Entries of an order's log are not chained to those before them."""

    def entry_hash(entry: Any) -> str:
        return log_rules.entry_hash(replace(entry, prev_hash=log_rules.GENESIS))

    with patch.object(order_log, "entry_hash", entry_hash):
        yield


@contextmanager
def ends_forgotten() -> Iterator[None]:
    """A settlement on chain does not end its order."""
    with patch.object(escrows, "end", lambda *_: None):
        yield


@contextmanager
def defaults_forgotten() -> Iterator[None]:
    """Where nobody rules, nobody sends the split that the terms name."""
    with patch.object(settlements, "send_defaults", lambda *_: None):
        yield


@contextmanager
def restless() -> Iterator[None]:
    """The keeper takes back and gives again what it has decided."""
    real = Keeper.step

    def step(self: Keeper) -> bool:
        with transaction(self.engine) as session:
            for order in session.exec(select(Order).limit(1)).all():
                names = OrderStatus.EXPIRED, OrderStatus.CANCELLED
                order.status = names[order.status == names[0]]
        return real(self)

    with patch.object(Keeper, "step", step):
        yield


@contextmanager
def hashes_mixed_up() -> Iterator[None]:
    """What is final is kept as logs of another transaction."""
    real = chain.finalize

    def finalize(session: Any, *arguments: Any) -> None:
        real(session, *arguments)
        session.exec(update(Log).values(tx_hash=Log.block_hash))

    with patch.object(chain, "finalize", finalize):
        yield
