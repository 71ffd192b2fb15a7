"""Signed deposits against real tokens on a real chain: what is signed is what the token takes."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk import calls, deposits, messages
from otc_sdk.errors import ChainError, SignatureError
from otc_sdk.terms import EscrowDomain, Terms, vault_address
from web3 import Web3

from tests.chain import Anvil, account_of
from tests.mocks import mock

AMOUNT = 1_000_000
HOUR = 3600


@dataclass(frozen=True)
class Desk:
    """A token, an escrow, a seller without gas, and somebody who brings signatures."""

    chain: Anvil
    domain: EscrowDomain
    token: str
    seller: LocalAccount
    stranger: LocalAccount

    def order(self, salt: int = 1, **changes: Any) -> Terms:
        """Terms over this desk's token; `salt` tells orders apart."""
        parties = {r: account_of(r).address for r in ("buyer", "coordinator", "arbitrator")}
        terms = Terms(
            token=self.token, amount_units=AMOUNT, fee_units=0,
            fee_recipient=self.stranger.address, seller=self.seller.address, **parties,
            pay_by=self.soon(), refund_window_seconds=1, ruling_window_seconds=1,
            final_window_seconds=1, default_buyer_bps=0, salt=salt,
        )  # fmt: skip
        return replace(terms, **changes)

    def soon(self) -> int:
        return self.chain.now() + HOUR

    def held(self, terms: Terms) -> int:
        """Units in the order's vault."""
        vault = vault_address(self.domain, terms.order_id(self.domain))
        token = self.chain.w3.eth.contract(
            Web3.to_checksum_address(terms.token), abi=mock("AuthorizedToken")["abi"]
        )
        return int(token.functions.balanceOf(vault).call())

    def bring(self, to: str, data: bytes) -> None:
        self.chain.send(self.stranger, to, data)

    def refuses(self, words: str, to: str, data: bytes) -> None:
        call: Any = {"from": self.stranger.address, "to": to, "data": data}
        with pytest.raises(Exception, match=words):
            self.chain.w3.eth.call(call)

    def authorized(self, terms: Terms, valid_before: int, by: LocalAccount | None = None) -> bytes:
        """The seller's signature, as calldata for the token."""
        token = deposits.read_token_domain(self.chain.w3, self.token)
        message = deposits.authorization(token, self.domain, terms, valid_before)
        signature = messages.sign(by or self.seller, message)
        return deposits.transfer_with_authorization(self.domain, terms, valid_before, signature)


def created(anvil: Anvil, owner: LocalAccount, name: str, *arguments: Any) -> str:
    artifact = mock(name)
    factory = anvil.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    data = factory.constructor(*arguments).data_in_transaction
    return str(anvil.send(owner, None, Web3.to_bytes(hexstr=data))["contractAddress"])


@pytest.fixture(scope="module")
def desk(anvil: Anvil) -> Desk:
    owner, seller = anvil.funded_account(), account_of("seller of signed deposits")
    token = created(anvil, owner, "AuthorizedToken", 100 * AMOUNT, "Tether USD", "1")
    anvil.send(owner, token, calls.transfer(seller.address, 50 * AMOUNT))
    return Desk(anvil, anvil.deploy_escrow(), token, seller, owner)


def test_an_authorization_fills_the_vault_once(desk: Desk) -> None:
    terms, until = desk.order(salt=1), desk.soon()
    data = desk.authorized(terms, until)
    desk.bring(desk.token, data)
    assert desk.held(terms) == AMOUNT
    desk.refuses("authorization is used", desk.token, data)


def test_a_second_authorization_for_the_order_is_refused(desk: Desk) -> None:
    terms = desk.order(salt=2)
    desk.bring(desk.token, desk.authorized(terms, desk.soon()))
    desk.refuses("authorization is used", desk.token, desk.authorized(terms, desk.soon() + 1))


def test_an_authorization_fills_no_other_vault(desk: Desk) -> None:
    terms, other, until = desk.order(salt=3), desk.order(salt=4), desk.soon()
    token = deposits.read_token_domain(desk.chain.w3, desk.token)
    message = deposits.authorization(token, desk.domain, terms, until)
    signature = messages.sign(desk.seller, message)
    data = deposits.transfer_with_authorization(desk.domain, other, until, signature)
    desk.refuses("invalid signature", desk.token, data)


def test_an_expired_authorization_is_refused(desk: Desk) -> None:
    data = desk.authorized(desk.order(salt=5), desk.chain.now())
    desk.refuses("authorization is expired", desk.token, data)


def test_nobody_else_authorizes(desk: Desk) -> None:
    data = desk.authorized(desk.order(salt=6), desk.soon(), by=desk.stranger)
    desk.refuses("invalid signature", desk.token, data)


def test_an_order_in_another_token_is_refused_before_signing(desk: Desk) -> None:
    token = deposits.read_token_domain(desk.chain.w3, desk.token)
    elsewhere = desk.order(token=account_of("another token").address)
    with pytest.raises(SignatureError, match="the order is in token"):
        deposits.authorization(token, desk.domain, elsewhere, desk.soon())
    abroad = replace(desk.domain, chain_id=5)
    with pytest.raises(SignatureError, match="on chain 5"):
        deposits.authorization(token, abroad, desk.order(), desk.soon())


@pytest.mark.parametrize("length", [0, 64, 66])
def test_a_signature_of_another_length_is_refused(desk: Desk, length: int) -> None:
    with pytest.raises(SignatureError, match=f"signature of {length} bytes"):
        deposits.transfer_with_authorization(desk.domain, desk.order(), 1, bytes(length))


def test_a_token_without_signed_transfers_says_so(desk: Desk) -> None:
    plain = desk.chain.deploy_token(desk.stranger)
    for token in (plain, account_of("no contract").address):
        with pytest.raises(ChainError, match="takes no signed transfers"):
            deposits.read_token_domain(desk.chain.w3, token)


def test_a_token_whose_domain_is_not_its_words_is_refused(desk: Desk) -> None:
    token = created(desk.chain, desk.stranger, "MisnamedToken")
    with pytest.raises(ChainError, match="do not make its DOMAIN_SEPARATOR"):
        deposits.read_token_domain(desk.chain.w3, token)


@pytest.fixture
def permit2(desk: Desk) -> str:
    """The stand-in at Permit2's address, approved by the seller."""
    desk.chain.rpc("anvil_setCode", deposits.PERMIT2, mock("Permit2StandIn")["runtime"])
    desk.chain.rpc("anvil_setBalance", desk.seller.address, hex(10**18))
    approve = calls.call("approve(address,uint256)", deposits.PERMIT2, AMOUNT)
    desk.chain.send(desk.seller, desk.token, approve)
    return desk.domain.escrow


def permitted(desk: Desk, terms: Terms, nonce: int, deadline: int) -> bytes:
    signature = messages.sign(desk.seller, deposits.permit(desk.domain, terms, nonce, deadline))
    return calls.fund_with_permit2(terms, nonce, deadline, signature)


def test_a_permit_fills_the_vault_once(desk: Desk, permit2: str) -> None:
    terms = desk.order(salt=11)
    data = permitted(desk, terms, 1, desk.soon())
    desk.bring(permit2, data)
    assert desk.held(terms) == AMOUNT
    desk.refuses(Web3.keccak(text="InvalidNonce()")[:4].hex(), permit2, data)


def test_a_permit_fits_no_other_order_and_ends(desk: Desk, permit2: str) -> None:
    terms, until = desk.order(salt=12), desk.soon()
    signature = messages.sign(desk.seller, deposits.permit(desk.domain, terms, 2, until))
    other = calls.fund_with_permit2(desk.order(salt=13), 2, until, signature)
    desk.refuses(Web3.keccak(text="InvalidSigner()")[:4].hex(), permit2, other)
    late = permitted(desk, terms, 3, desk.chain.now() - 1)
    desk.refuses(Web3.keccak(text="SignatureExpired(uint256)")[:4].hex(), permit2, late)
