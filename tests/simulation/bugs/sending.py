"""Bugs in sending."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from coordinator.adapters.chain.sender import Account
from coordinator.db.intents import Slot
from coordinator.db.session import transaction
from coordinator.domain import fees
from coordinator.services import sending
from coordinator.services.ports import Call
from coordinator.workers.flight import Flight
from tests.simulation.interruptions import Killed


@contextmanager
def sent_before_kept() -> Iterator[None]:
    """The signed bytes go out before they are committed, and the first time comes death between."""
    real, alive = Account.sign, [True]

    def sign(self: Account, *arguments: Any) -> Any:
        signed = real(self, *arguments)
        self.broadcast(signed.raw)
        if alive:
            alive.pop()
            raise Killed
        return signed

    with patch.object(Account, "sign", sign):
        yield


@contextmanager
def nonce_used_again() -> Iterator[None]:
    """What no block has yet is replaced by another call, with its nonce and higher fees."""

    def push(self: Flight, slot: Slot, *_: Any, **__: Any) -> None:
        other = Call(slot.to, slot.data + "00")
        with transaction(self.engine) as session:
            (newest, *_) = sending.attempts(session, slot.id or 0)
            dearer = fees.raised(newest.fees, newest.fees)
            signed = self.node.sign(other, slot.nonce, int(newest.fees["gas"]), dearer)
            sending.add_attempt(session, slot.id or 0, signed, self.now())
        self.broadcast(signed.tx_hash, signed.raw)

    with patch.object(Flight, "push", push):
        yield


@contextmanager
def refusals_believed() -> Iterator[None]:
    """What a node refuses now is taken to be over for good."""
    with patch.object(sending, "is_over", lambda *_: True):
        yield


@contextmanager
def receipts_ignored() -> Iterator[None]:
    """What was mined stays in flight."""
    with patch.object(Flight, "mined", lambda *_: None):
        yield
