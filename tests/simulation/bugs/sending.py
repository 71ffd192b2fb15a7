"""Bugs in sending."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from coordinator.adapters.chain.sender import Account
from coordinator.services import sending
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
