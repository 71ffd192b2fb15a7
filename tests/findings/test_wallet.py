"""A wallet on a node that lies: it sends nothing of that."""

import pytest
from otc_sdk.chain import EscrowAccount
from otc_sdk.errors import ChainError
from otc_sdk.terms import EscrowDomain

from tests.chain import Anvil
from tests.findings.told import terms


def test_other_decimals_than_the_tokens(anvil: Anvil) -> None:
    """Found: with decimals of the coordinator's invention, 12.5 tokens became 1,250."""
    seller = anvil.funded_account()
    token = anvil.deploy_token(seller, decimals=6)
    domain = EscrowDomain(anvil.w3.eth.chain_id, anvil.funded_account().address)
    account = EscrowAccount(anvil.w3, domain, seller)
    asked = terms(token=token, seller=seller.address)
    sent = anvil.w3.eth.get_transaction_count(seller.address)
    with pytest.raises(ChainError, match="has 6 decimals on chain, not 8"):
        account.fund(asked, 8)
    with pytest.raises(ChainError, match="tells no decimals"):
        account.fund(terms(token=domain.escrow), 6)
    assert anvil.w3.eth.get_transaction_count(seller.address) == sent
    account.fund(asked, 6)
