"""Bugs in the simulated contracts: what a contract must not do is seen, too."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from otc_sdk.terms import Terms

from tests.simulation.contracts import Call, vault_of


@contextmanager
def tokens_minted() -> Iterator[None]:
    """Whoever gets tokens gets one more."""
    real = Call.move

    def move(self: Call, token: str, sender: str, to: str, units: int) -> None:
        real(self, token, sender, to, units)
        self.state.tokens[token, to] += 1

    with patch.object(Call, "move", move):
        yield


@contextmanager
def overdraft() -> Iterator[None]:
    """A vault pays the whole amount, whatever it holds."""
    real = Call.pay_out

    def pay_out(
        self: Call, terms: Terms, order_id: bytes, vault: str, to_buyer: int, balance: int
    ) -> None:
        key, lent = (terms.token, vault), terms.amount_units - balance
        self.state.tokens[key] = terms.amount_units
        real(self, terms, order_id, vault, to_buyer, terms.amount_units)
        self.state.tokens[key] -= lent

    with patch.object(Call, "pay_out", pay_out):
        yield


@contextmanager
def settled_again() -> Iterator[None]:
    """A vault's code is no tombstone."""

    def require_unsettled(self: Call, order_id: bytes) -> str:
        return vault_of(self.contracts.domain, order_id)

    with patch.object(Call, "require_unsettled", require_unsettled):
        yield
