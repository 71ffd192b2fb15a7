"""Bugs in sending."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from coordinator.adapters.chain.sender import Account
from coordinator.db.intents import Slot
from coordinator.services import sending
from coordinator.workers.flight import Flight


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
def used_nonce_is_success() -> Iterator[None]:
    """A nonce that somebody else used is taken for our own transaction, mined."""

    def nonce_lost(session: Any, slot_id: int, now: int) -> None:
        session.get_one(Slot, slot_id).status = "final"
        for intent in sending.intents_of(session, slot_id):
            intent.status = "final"

    with patch.object(sending, "nonce_lost", nonce_lost):
        yield


@contextmanager
def nonce_used_again() -> Iterator[None]:
    """What is signed gets the nonce that the chain counts, whatever waits already."""
    real = Account.sign

    def sign(self: Account, call: Any, nonce: int, *more: Any) -> Any:
        return real(self, call, self.transaction_count(), *more)

    with patch.object(Account, "sign", sign):
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
