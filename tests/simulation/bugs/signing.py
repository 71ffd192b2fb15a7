"""Bugs in the ledger and in co-signing."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from otc_sdk import messages
from otc_sdk.roles import Role

from coordinator.services import cosigning, ledger


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
def one_leg() -> Iterator[None]:
    """Of a transfer's two postings, one is lost."""
    real = ledger.legs
    with patch.object(ledger, "legs", lambda *values: real(*values)[:1]):
        yield


@contextmanager
def splits_cosigned() -> Iterator[None]:
    """Whatever the buyer is to get, the seller's consent is enough."""
    with patch.object(
        cosigning, "giving_role", lambda _, units: (Role.SELLER, Role.BUYER)[not units]
    ):
        yield


@contextmanager
def signed_otherwise() -> Iterator[None]:
    """What is signed is not what is written down."""
    real = messages.settlement

    def settlement(domain: Any, order_id: bytes, units: int, until: int) -> Any:
        return real(domain, order_id, units, until + 1)

    with patch.object(cosigning, "sign", with_messages(settlement)):
        yield


def with_messages(settlement: Any) -> Any:
    """The co-signer's `sign`, with another way to make its message."""
    real = cosigning.sign

    def sign(*values: Any) -> str:
        with patch.object(messages, "settlement", settlement):
            return real(*values)

    return sign
