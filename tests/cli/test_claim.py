"""A claim that goes to another address: a person consents, and its owner alone can use that."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk import calls, messages
from otc_sdk.chain import EscrowAccount, claim_of
from otc_sdk.order import Order
from otc_sdk.roles import Role
from otc_sdk.terms import Terms, vault_address
from web3 import Web3

from tests.chain import Anvil, account_of
from tests.cli.command import Otc, refused
from tests.cli.operator import Settings
from tests.findings.world import LiveWorld
from tests.mocks import mock
from tests.world import AMOUNT, ARBITRATOR, COORDINATOR, PLATFORM

FEE = AMOUNT // 100
NEVER = 2**40
OTHER = account_of("the buyer's other wallet").address
REFUSES = 1
Json = dict[str, Any]


@dataclass
class Case:
    """A release whose token refused the buyer, for good."""

    otc: Otc
    anvil: Anvil
    order: Order
    buyer: LocalAccount
    env: Settings
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "order.json"

    def balance(self, owner: str) -> int:
        data = calls.call("balanceOf(address)", owner)
        to = Web3.to_checksum_address(self.order.terms.token)
        return int.from_bytes(self.anvil.w3.eth.call({"to": to, "data": data}), "big")  # type: ignore[typeddict-item]

    def owed(self) -> int:
        order = self.order
        return claim_of(self.anvil.w3, order.domain, order.id_bytes, self.buyer.address)

    def consent(self, *more: object, **changes: str) -> Any:
        words = {"--owner": self.buyer.address, "--to": OTHER, "--why": "the wallet is frozen"}
        given = [word for pair in words.items() for word in pair]
        arguments = ("--offline", self.file, *given, "--yes", "--json", *more)
        return self.otc("cosigner", "consent", *arguments, **{**self.env, **changes})

    def saved(self, **changes: object) -> Path:
        """The consent as the operator hands it over, changed."""
        result = self.consent()
        assert result.exit_code == 0, result.output
        path = self.folder / "consent.json"
        path.write_text(json.dumps(json.loads(result.stdout) | changes))
        return path

    def claim(self, *more: object, key: LocalAccount | None = None) -> Any:
        arguments = ("--offline", self.file, "--rpc-url", self.anvil.url, "--yes", "--json", *more)
        secret = (key or self.buyer).key.hex()
        return self.otc("claim", *arguments, OTC_PRIVATE_KEY=secret)

    def refuse(self, words: str, *more: object, key: LocalAccount | None = None) -> None:
        """The claim is refused with these words, and nothing was sent."""
        before = self.anvil.w3.eth.block_number
        refused(self.claim(*more, key=key), words)
        assert self.anvil.w3.eth.block_number == before
        assert self.owed() == AMOUNT - FEE

    def signed(self, signer: LocalAccount, until: int) -> str:
        order = self.order
        message = messages.claim_to(order.domain, order.id_bytes, self.buyer.address, OTHER, until)
        return "0x" + messages.sign(signer, message).hex()


@pytest.fixture
def case(otc: Otc, anvil: Anvil, settings: Settings, tmp_path: Path) -> Case:
    token, (seller, buyer) = refusing_token(anvil), (anvil.funded_account() for _ in range(2))
    domain = anvil.deploy_escrow()
    terms = Terms(
        token=token,
        amount_units=AMOUNT,
        fee_units=FEE,
        fee_recipient=PLATFORM.fee_recipient,
        seller=seller.address,
        buyer=buyer.address,
        coordinator=COORDINATOR.address,
        arbitrator=ARBITRATOR.address,
        pay_by=anvil.now() + 900,
        refund_window_seconds=3600,
        ruling_window_seconds=86_400,
        final_window_seconds=86_400,
        default_buyer_bps=5000,
        salt=1,
    )
    vault = vault_address(domain, terms.order_id(domain))
    rich = anvil.funded_account()
    anvil.send(rich, token, calls.call("mint(address,uint256)", vault, AMOUNT))
    anvil.send(rich, token, calls.call("setManner(address,uint8)", buyer.address, REFUSES))
    message = messages.settlement(domain, terms.order_id(domain), AMOUNT, NEVER)
    signatures = {Role.SELLER: messages.sign(seller, message)}
    EscrowAccount(anvil.w3, domain, buyer).settle(terms, AMOUNT, NEVER, signatures)
    facts = {
        "id": "0x" + terms.order_id(domain).hex(),
        "terms": terms.to_dict(),
        "seller": terms.seller,
        "buyer": terms.buyer,
        "arbitrator": terms.arbitrator,
        "amount_units": str(AMOUNT),
        "escrow": {"vault": vault},
    }
    order = Order(domain, terms, "USDT", 6, facts)
    key = tmp_path / "coordinator.json"
    key.write_text(json.dumps(COORDINATOR.encrypt("p", iterations=2)))
    env = {
        **settings,
        "OTC_TOKEN": token,
        "OTC_FEE_RECIPIENT": PLATFORM.fee_recipient,
        "OTC_COSIGNER_KEY": f"keystore:{key}",
        "OTC_KEYSTORE_PASSWORD": "p",
    }
    found = Case(otc, anvil, order, buyer, env, tmp_path)
    found.file.write_text(json.dumps(order.saved()))
    return found


def refusing_token(anvil: Anvil) -> str:
    code = Web3.to_bytes(hexstr=mock("RefusingToken")["bytecode"])
    return str(anvil.send(anvil.funded_account(), None, code)["contractAddress"])


def test_a_refused_payout_goes_to_another_address(case: Case) -> None:
    case.refuse("TransferRefused")
    result = case.claim("--to", OTHER, "--signed", case.saved())
    assert result.exit_code == 0, result.output
    assert (case.balance(OTHER), case.owed()) == (AMOUNT - FEE, 0)


# What the owner cannot do.


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"order": "0x" + "11" * 32}, "the consent's order is 0x1111"),
        ({"owner": OTHER}, f"the consent's owner is {OTHER}, not 0x"),
        ({"to": account_of("thief").address}, "the consent's to is"),
        ({"valid_until": NEVER}, "InvalidSignature"),
        ({"signature": "0x" + "11" * 65}, "InvalidSignature"),
        ({"signature": "no"}, "holds no consent by"),
        ({"valid_until": None}, "holds no consent by"),
    ],
)
def test_a_consent_to_something_else(case: Case, change: Json, words: str) -> None:
    case.refuse(words, "--to", OTHER, "--signed", case.saved(**change))


def test_a_consent_that_somebody_else_signed(case: Case) -> None:
    path = case.saved(valid_until=NEVER, signature=case.signed(case.buyer, NEVER))
    case.refuse("InvalidSignature", "--to", OTHER, "--signed", path)


def test_a_consent_that_is_over(case: Case) -> None:
    past = case.anvil.now() - 1
    path = case.saved(valid_until=past, signature=case.signed(COORDINATOR, past))
    case.refuse("Expired", "--to", OTHER, "--signed", path)


def test_a_consent_in_the_hands_of_another(case: Case) -> None:
    thief = case.anvil.funded_account()
    case.refuse("the consent's owner is", "--to", OTHER, "--signed", case.saved(), key=thief)


@pytest.mark.parametrize("given", [("--to", OTHER), ("--signed", "consent.json")])
def test_half_of_what_another_address_takes(case: Case, given: tuple[str, str]) -> None:
    case.refuse("give both --to ADDRESS and --signed FILE", *given)


def test_an_address_with_a_typing_error(case: Case) -> None:
    path = case.saved()
    case.refuse("is not an address with its checksum", "--to", OTHER.lower(), "--signed", path)


# What the operator cannot do.


def test_a_claim_that_does_not_exist(case: Case) -> None:
    seller = case.order.terms.seller
    refused(case.consent("--owner", seller), f"owes {seller} nothing")


def test_an_address_that_loses_the_tokens(case: Case) -> None:
    order = case.order
    for place in (order.vault, order.domain.escrow, order.terms.token, case.buyer.address):
        refused(case.consent("--to", place), "would be lost, or not moved")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"OTC_TOKEN": account_of("token").address}, "is not served"),
        ({"OTC_ESCROW": account_of("escrow").address}, "not of this co-signer's escrow"),
        ({"OTC_COORDINATOR": OTHER}, "OTC_COSIGNER_KEY is the key of"),
        ({"OTC_KEYSTORE_PASSWORD": "wrong"}, "wrong password"),
    ],
)
def test_settings_of_another_co_signer(case: Case, changes: dict[str, str], words: str) -> None:
    refused(case.consent(**changes), words)


def test_no_reason(case: Case) -> None:
    refused(case.consent("--why", " "), "a reason of 1 to")


def test_while_co_signing_is_stopped(case: Case) -> None:
    stop = case.otc("cosigner", "stop", "--why", "a theft", **case.env)
    assert stop.exit_code == 0, stop.output
    refused(case.consent(), "co-signing is stopped: a theft")


def test_while_the_chain_is_halted(case: Case, live: LiveWorld) -> None:
    live.mine()
    chain = str(case.order.domain.chain_id)
    halt = case.otc("chain", "halt", "--chain", chain, "--why", "our node was taken", **case.env)
    assert halt.exit_code == 0, halt.output
    refused(case.consent(), f"chain {chain} is halted: our node was taken")
