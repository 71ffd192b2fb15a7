"""A buyer is told to pay for a vault that is not what the coordinator says."""

import time
from dataclasses import dataclass

import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk.chain import EscrowAccount, connect
from otc_sdk.errors import ChainError
from otc_sdk.funding import final_block, require_funded
from otc_sdk.order import Order
from otc_sdk.roles import Role
from otc_sdk.terms import vault_address
from web3.exceptions import BlockNotFound

from coordinator.cli.next_step import next_step
from coordinator.cli.order import ask_node
from tests.chain import Anvil
from tests.findings.told import HONEST, terms
from tests.world import AMOUNT

# What anvil calls final is this far below its newest block.
FINAL_BLOCKS = 64


@dataclass
class Sale:
    """An order that its coordinator calls funded."""

    anvil: Anvil
    seller: LocalAccount
    order: Order

    @property
    def account(self) -> EscrowAccount:
        return EscrowAccount(self.anvil.w3, self.order.domain, self.seller)

    def fund(self, units: int = AMOUNT) -> None:
        self.account.transfer(self.order.terms.token, self.order.vault, units)

    def finalize(self) -> None:
        self.anvil.rpc("anvil_mine", hex(FINAL_BLOCKS))

    def refused(self, words: str) -> None:
        """By the SDK, and on the screen."""
        with pytest.raises(ChainError, match=f"not funded: {words}"):
            require_funded(self.anvil.w3, self.order)
        shown = self.next_step(self.anvil.url)
        assert shown.startswith("do not pay: not funded: ")

    def next_step(self, rpc_url: str | None) -> str:
        return next_step(self.order, Role.BUYER, int(time.time()), ask_node(self.order, rpc_url))


@pytest.fixture
def sale(anvil: Anvil) -> Sale:
    seller, domain = anvil.funded_account(), anvil.deploy_escrow()
    token = anvil.deploy_token(seller)
    agreed = terms(token=token, seller=seller.address, pay_by=anvil.now() + 900)
    order_id = agreed.order_id(domain)
    facts = {
        "id": "0x" + order_id.hex(), "terms": agreed.to_dict(), "status": "awaiting_payment",
        "seller": agreed.seller, "buyer": agreed.buyer, "arbitrator": agreed.arbitrator,
        "amount_units": str(AMOUNT), "settlements": [], "fiat": "EUR", "fiat_amount_minor": "930",
        "payment_method": "sepa",
        "escrow": {"vault": vault_address(domain, order_id), "refund_requested_at": 0,
                   "disputed_at": 0},
    }  # fmt: skip
    platform = {**HONEST, "chain_id": domain.chain_id, "escrow": domain.escrow}
    return Sale(anvil, seller, Order.read(facts, platform))


def test_an_empty_vault(sale: Sale) -> None:
    """Found: nothing of the buyer's own looked at the chain before "pay 9.30 EUR"."""
    sale.finalize()
    sale.refused(f"the vault holds 0 of {AMOUNT} units, in block")
    assert sale.next_step(None).startswith("ask a node of yours")


def test_a_deposit_that_is_short_or_not_final(sale: Sale) -> None:
    sale.finalize()
    sale.fund(AMOUNT - 1)
    sale.finalize()
    sale.refused(f"the vault holds {AMOUNT - 1} of")
    sale.fund(1)
    sale.refused(f"the vault holds {AMOUNT - 1} of {AMOUNT} units, in block .* final one")
    sale.finalize()
    require_funded(sale.anvil.w3, sale.order)
    assert sale.next_step(sale.anvil.url).startswith("pay 9.30 EUR by sepa")


def test_a_vault_that_is_settled_or_disputed(sale: Sale) -> None:
    """Also in a block that is not final yet."""
    sale.fund()
    sale.finalize()
    require_funded(sale.anvil.w3, sale.order)
    sale.account.dispute(sale.order.terms, Role.SELLER)
    sale.refused("the order is disputed, in the newest block")


def test_a_refund_that_was_asked_for(sale: Sale) -> None:
    sale.fund()
    sale.finalize()
    sale.anvil.mine_at(sale.order.terms.pay_by)
    sale.account.request_refund(sale.order.terms)
    sale.refused("the seller asked for a refund, in the newest block")
    sale.anvil.mine_at(sale.anvil.now() + sale.order.terms.refund_window_seconds)
    sale.account.settle(sale.order.terms, 0, sale.anvil.now() + 3600)
    sale.refused("the order was settled, in the newest block")


def test_a_node_that_does_not_answer(sale: Sale) -> None:
    assert sale.next_step("http://127.0.0.1:1").startswith("do not pay: no node answers")
    sale.anvil.rpc("anvil_setCode", sale.order.terms.token, "0x")
    sale.finalize()
    sale.refused("no token at")


def test_a_node_that_knows_no_final_block(anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    w3 = connect(anvil.url)

    def unknown(block: object) -> None:
        raise BlockNotFound(block)

    anvil.rpc("anvil_mine", hex(300))
    monkeypatch.setattr(w3.eth, "get_block", unknown)
    assert final_block(w3) == w3.eth.block_number - 256
