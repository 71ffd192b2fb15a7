"""Double entry: every token movement is postings that sum to zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.domain.errors import InvariantBroken


@dataclass(frozen=True)
class Posting:
    """A signed change of one account, in the token's smallest unit."""

    account: str
    token: str
    units: int


def vault_account(order_id: str) -> str:
    return f"vault:{order_id}"


def wallet_account(address: str) -> str:
    return f"wallet:{address}"


def transfer_postings(
    token: str, sender: str, recipient: str, units: int, vaults: dict[str, str]
) -> list[Posting]:
    """Postings of one ERC-20 transfer. `vaults` maps vault address -> order id."""

    def account(address: str) -> str:
        order_id = vaults.get(address)
        return vault_account(order_id) if order_id else wallet_account(address)

    postings = [
        Posting(account(sender), token, -units),
        Posting(account(recipient), token, units),
    ]
    require_balanced(postings)
    return postings


def require_balanced(postings: Sequence[Posting]) -> None:
    """Raise InvariantBroken unless the postings of each token sum to zero."""
    for token in {p.token for p in postings}:
        total = sum(p.units for p in postings if p.token == token)
        if total != 0:
            raise InvariantBroken(f"postings of {token} sum to {total}, not 0")
