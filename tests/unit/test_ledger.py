"""Double entry: postings sum to zero, whoever sends to whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.errors import InvariantBroken
from coordinator.domain.ledger import Posting, require_balanced, transfer_postings

addresses = st.sampled_from(["vault a", "vault b", "alice", "bob"])
VAULTS = {"vault a": "order a", "vault b": "order b"}


@given(addresses, addresses, st.integers(0, 2**256 - 1))
def test_every_transfer_balances(sender: str, recipient: str, units: int) -> None:
    postings = transfer_postings("token", sender, recipient, units, VAULTS)
    assert [p.units for p in postings] == [-units, units]
    require_balanced(postings)


def test_vaults_are_named_by_their_orders() -> None:
    deposit = transfer_postings("token", "alice", "vault a", 5, VAULTS)
    assert deposit == [Posting("wallet:alice", "token", -5), Posting("vault:order a", "token", 5)]


@pytest.mark.parametrize(
    "postings",
    [
        [Posting("a", "token", 1)],
        [Posting("a", "token", 1), Posting("b", "token", -2)],
        [Posting("a", "token", 1), Posting("b", "another token", -1)],
    ],
)
def test_unbalanced_postings_are_noticed(postings: list[Posting]) -> None:
    with pytest.raises(InvariantBroken):
        require_balanced(postings)


def test_nothing_balances() -> None:
    require_balanced([])
