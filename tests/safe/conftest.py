"""A chain with escrow, token, panel and treasury; the scripts as a user runs them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from chain import Anvil, account_of
from eth_account.signers.local import LocalAccount
from otc_sdk import messages
from otc_sdk.chain import EscrowAccount, Wallet
from otc_sdk.order import Order
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address

from scripts import panel, proposal, safe, treasury

pytest_plugins = ["chain"]

UNIT = 10**6
AMOUNT = 100 * UNIT
FEE = UNIT // 2
OWNERS = [account_of(f"owner {i}") for i in range(3)]
COLD = account_of("cold storage").address
SCRIPTS = {"panel": panel, "treasury": treasury}


@dataclass
class Desk:
    """The scripts on one chain, and what they need."""

    chain: Anvil
    folder: Path
    capsys: pytest.CaptureFixture
    monkeypatch: pytest.MonkeyPatch
    network: str = "local"

    def run(self, script: str, command: str, *arguments: object, key: LocalAccount | None = None):
        """What the script prints; `key` is in the environment. A refusal is a SystemExit."""
        self.monkeypatch.delenv("OTC_PRIVATE_KEY", raising=False)
        if key is not None:
            self.monkeypatch.setenv("OTC_PRIVATE_KEY", key.key.hex())
        words = [command, "--network", self.network, "--rpc-url", self.url, *map(str, arguments)]
        proposal.run(SCRIPTS[script].options(), words)
        return self.capsys.readouterr().out

    def refuse(self, words: str, *arguments: object, key: LocalAccount | None = None) -> None:
        """The script refuses with these words, having sent nothing."""
        before = self.sent(key)
        with pytest.raises(SystemExit, match=words):
            self.run(*arguments, key=key)
        assert self.sent(key) == before

    def sent(self, key: LocalAccount | None) -> tuple[int, int]:
        """What sending would change: the chain's height, and what the key sent so far."""
        eth = self.chain.w3.eth
        return eth.block_number, eth.get_transaction_count(key.address, "pending") if key else 0

    def confirm(self, script: str, file: Path, *owners: int) -> None:
        for index in owners:
            self.run(script, "confirm", file, "--yes", key=OWNERS[index])

    @contextmanager
    def busy(self, key: LocalAccount) -> Iterator[None]:
        """A transaction of this account's waits to be mined."""
        self.chain.rpc("evm_setAutomine", False)
        try:
            raw = Wallet(self.chain.w3, key).signed({"from": key.address, "to": key.address})
            self.chain.w3.eth.send_raw_transaction(raw)
            yield
        finally:
            self.chain.rpc("evm_mine")
            self.chain.rpc("evm_setAutomine", True)

    @property
    def url(self) -> str:
        return str(self.chain.w3.provider.endpoint_uri)


@pytest.fixture
def desk(anvil, tmp_path, capsys, monkeypatch) -> Desk:
    for name in ("OTC_KEYSTORE", "OTC_PRIVATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Desk(anvil, tmp_path, capsys, monkeypatch)


@pytest.fixture
def fresh(desk) -> Iterator[Desk]:
    """The scripts on a chain of the test's own, without Safe's contracts."""
    chain = Anvil().start()
    try:
        yield replace(desk, chain=chain)
    finally:
        chain.stop()


@pytest.fixture(scope="session")
def domain(anvil) -> EscrowDomain:
    return anvil.deploy_escrow()


@pytest.fixture(scope="session")
def seller(anvil) -> LocalAccount:
    return anvil.funded_account("seller")


@pytest.fixture(scope="session")
def token(anvil, seller) -> str:
    return anvil.deploy_token(seller)


@pytest.fixture(scope="session")
def made(anvil) -> str:
    """A Safe of the three owners, two of whom decide."""
    owners = [owner.address for owner in OWNERS]
    return safe.create(anvil.w3, anvil.funded_account("payer"), owners, 2)


@dataclass
class Case:
    """A disputed order whose arbitrator is the panel."""

    chain: Anvil
    domain: EscrowDomain
    terms: Terms
    seller: LocalAccount
    buyer: LocalAccount
    file: Path

    @property
    def id(self) -> bytes:
        return self.terms.order_id(self.domain)

    @property
    def vault(self) -> str:
        return vault_address(self.domain, self.id)

    def fund_and_dispute(self) -> None:
        trader = EscrowAccount(self.chain.w3, self.domain, self.seller)
        trader.fund(self.terms)
        trader.dispute(self.terms, Role.SELLER)

    def balance(self, token: str, owner: str) -> int:
        return treasury.Token(self.chain.w3, token).balance(owner)

    def signed(self, role: Role, units: int, until: int) -> Path:
        """What `otc sign --offline --json` prints for a trader."""
        account = self.buyer if role is Role.BUYER else self.seller
        message = messages.settlement(self.domain, self.id, units, until)
        path = self.file.with_name(f"{role.label}.json")
        path.write_text(
            json.dumps(
                {
                    "order": "0x" + self.id.hex(),
                    "role": role.label,
                    "signer": account.address,
                    "to_buyer_units": str(units),
                    "valid_until": until,
                    "signature": "0x" + messages.sign(account, message).hex(),
                }
            )
        )
        return path


@pytest.fixture
def case(anvil, domain, seller, token, made, tmp_path) -> Case:
    buyer = anvil.funded_account()
    terms = Terms(
        token=token,
        amount_units=AMOUNT,
        fee_units=FEE,
        fee_recipient=account_of("treasury").address,
        seller=seller.address,
        buyer=buyer.address,
        coordinator=account_of("coordinator").address,
        arbitrator=made,
        pay_by=int(time.time()) + 900,
        refund_window_seconds=3600,
        ruling_window_seconds=86_400,
        final_window_seconds=86_400,
        default_buyer_bps=5000,
        salt=int.from_bytes(bytes.fromhex(buyer.address[2:18])),
    )
    found = Case(anvil, domain, terms, seller, buyer, tmp_path / "order.json")
    found.file.write_text(json.dumps(saved(found)))
    found.fund_and_dispute()
    return found


def saved(case: Case) -> dict:
    """What `otc order show --json` prints, as far as signing needs it."""
    facts = {
        "id": "0x" + case.id.hex(),
        "seller": case.terms.seller,
        "buyer": case.terms.buyer,
        "arbitrator": case.terms.arbitrator,
        "amount_units": str(case.terms.amount_units),
        "escrow": {"vault": case.vault},
        "terms": case.terms.to_dict(),
    }
    return Order(case.domain, case.terms, "USDT", 6, facts).saved()


@pytest.fixture
def rich_treasury(anvil, made, token, seller) -> str:
    """The Safe, with at least ten tokens of fees."""
    Wallet(anvil.w3, seller).transfer(token, made, 10 * UNIT)
    return made
