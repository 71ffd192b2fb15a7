"""An escrow, a token and an order between brownie's accounts, in the same block for every test."""

from dataclasses import dataclass

import pytest
from brownie import Escrow, TetherMock, accounts, chain, web3
from otc_sdk import messages
from otc_sdk.calls import pack
from otc_sdk.keystore import from_key
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address

UNIT = 10**6
AMOUNT = 100 * UNIT
FEE = UNIT // 2
PAY_BY_SECONDS = 900
REFUND_WINDOW_SECONDS = 3600
NEVER = 2**64


@dataclass
class Trade:
    """One order, and who signs for it."""

    escrow: object
    token: object
    domain: EscrowDomain
    terms: Terms
    parties: dict

    @property
    def order(self):
        return self.terms.to_tuple()

    @property
    def id(self):
        return self.terms.order_id(self.domain)

    @property
    def vault(self):
        return vault_address(self.domain, self.id)

    def fund(self):
        self.token.transfer(self.vault, AMOUNT, {"from": self.parties[Role.SELLER]})

    def signed(self, to_buyer, *roles, by=None):
        """The contract's list of signatures over a settlement; `by` signs in the roles' name."""
        message = messages.settlement(self.domain, self.id, to_buyer, NEVER)
        return pack({role: self.sign(by or self.parties[role], message) for role in roles})

    def sign(self, account, message):
        return messages.sign(from_key(account.private_key), message)

    def settle(self, to_buyer, signatures, sender):
        return self.escrow.settle(self.order, to_buyer, NEVER, signatures, {"from": sender})


@pytest.fixture(scope="module")
def parties():
    """Accounts whose keys are here, by role, with coins for gas."""
    made = {role: accounts.add() for role in Role}
    for account in made.values():
        accounts[0].transfer(account, "1 ether")
    return made


@pytest.fixture(scope="module")
def trade(parties):
    escrow = Escrow.deploy({"from": accounts[0]})
    token = TetherMock.deploy(10**18, 6, {"from": parties[Role.SELLER]})
    terms = Terms(
        token=token.address,
        amount_units=AMOUNT,
        fee_units=FEE,
        fee_recipient=accounts[9].address,
        **{role.label: account.address for role, account in parties.items()},
        pay_by=chain.time() + PAY_BY_SECONDS,
        refund_window_seconds=REFUND_WINDOW_SECONDS,
        ruling_window_seconds=86_400,
        final_window_seconds=86_400,
        default_buyer_bps=5000,
        salt=1,
    )
    domain = EscrowDomain(web3.eth.chain_id, escrow.address)
    return Trade(escrow, token, domain, terms, parties)


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    """Brownie's own: undo the test's blocks."""
