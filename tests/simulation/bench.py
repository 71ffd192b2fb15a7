"""One bench for two chains: the fake one and anvil with the real contracts.

What the conformance tests need, in the same words for both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

from eth_account.signers.local import LocalAccount
from hexbytes import HexBytes
from otc_sdk import calls
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address
from web3 import Web3

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.sender import Account
from tests.chain import Anvil, account_of
from tests.simulation.abi import State
from tests.simulation.chain import BLOCK_SECONDS, Chain
from tests.simulation.contracts import Contracts
from tests.simulation.faults import Line
from tests.simulation.node import FakeNode
from tests.simulation.provider import web3_over

FINALITY_BLOCKS = 2
RICH_WEI = 10**24
SUPPLY_UNITS = 10**18
AMOUNT = 100 * 10**6
GAS = 2_000_000
FEES = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**9}
DOMAIN = EscrowDomain(31337, account_of("escrow").address)
TOKEN = account_of("token").address
MAX_FEE_WEI = 10**19


class Acting:
    """A chain that mines when it is told to, and four parties with coins: the same on both."""

    w3: Web3
    domain: EscrowDomain
    token: str
    owner: LocalAccount
    salt = 0

    def now(self) -> int:
        return self.w3.eth.get_block("latest")["timestamp"]

    def mine(self, at: int | None = None) -> None:
        raise NotImplementedError

    def reorg(self, depth: int) -> None:
        """Replace the newest blocks by empty ones; their transactions vanish."""
        raise NotImplementedError

    def party(self, role: Role) -> LocalAccount:
        return account_of(f"bench {role.label}")

    def terms(self, **changes: Any) -> Terms:
        """New terms each time."""
        type(self).salt += 1
        terms = Terms(
            token=self.token, amount_units=AMOUNT, fee_units=AMOUNT // 200,
            fee_recipient=account_of("bench treasury").address,
            seller=self.party(Role.SELLER).address, buyer=self.party(Role.BUYER).address,
            coordinator=self.party(Role.COORDINATOR).address,
            arbitrator=self.party(Role.ARBITRATOR).address, pay_by=self.now() + 1000,
            refund_window_seconds=600, ruling_window_seconds=3600, final_window_seconds=3600,
            default_buyer_bps=5000, salt=type(self).salt,
        )  # fmt: skip
        return replace(terms, **changes)

    def vault(self, terms: Terms) -> str:
        return vault_address(self.domain, terms.order_id(self.domain))

    def submit(
        self, account: LocalAccount, to: str, data: bytes, nonce: int | None = None, **fees: int
    ) -> HexBytes:
        """Sign and hand over; mined by the next block."""
        if nonce is None:
            nonce = self.w3.eth.get_transaction_count(account.address, "pending")
        transaction: Any = {
            "to": to, "data": data, "nonce": nonce, "gas": GAS, "value": 0,
            "chainId": self.domain.chain_id, **FEES, **fees,
        }  # fmt: skip
        return self.w3.eth.send_raw_transaction(
            account.sign_transaction(transaction).raw_transaction
        )

    def send(self, account: LocalAccount, to: str, data: bytes, at: int | None = None) -> Any:
        """Its receipt, mined."""
        sent = self.submit(account, to, data)
        self.mine(at)
        return self.w3.eth.get_transaction_receipt(sent)

    def fund(self, terms: Terms, units: int = AMOUNT) -> Any:
        return self.send(self.owner, terms.token, calls.transfer(self.vault(terms), units))

    def funded(self, **changes: Any) -> Terms:
        terms = self.terms(**changes)
        assert self.fund(terms)["status"] == 1
        return terms


class FakeBench(Acting):
    def __init__(self) -> None:
        self.owner = account_of("bench owner")
        parties = [self.owner, *(self.party(role) for role in Role)]
        genesis = State(
            tokens={(TOKEN, self.owner.address): SUPPLY_UNITS},
            coins={account.address: RICH_WEI for account in parties},
        )
        self.chain = Chain(Contracts(DOMAIN, (TOKEN,)), FINALITY_BLOCKS, genesis)
        self.fake = FakeNode(self.chain)
        self.w3 = web3_over(Line(self.fake.request, Random(0)))
        self.domain, self.token = DOMAIN, TOKEN
        for _ in range(FINALITY_BLOCKS):
            self.mine()

    def mine(self, at: int | None = None) -> None:
        self.chain.mine(at)

    def reorg(self, depth: int) -> None:
        self.chain.reorg(depth, lambda _: False)
        for _ in range(depth):
            self.mine()

    def node(self) -> Node:
        node = Node("http://fake", "finalized")
        node.provider = self.w3.provider
        return node

    def sender(self, account: LocalAccount, max_fee_wei: int = MAX_FEE_WEI) -> Account:
        made = Account("http://fake", self.domain.chain_id, account, max_fee_wei)
        made.w3 = self.w3
        return made


class AnvilBench(Acting):
    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.url, self.w3 = anvil, anvil.url, anvil.w3
        self.owner = anvil.funded_account("bench owner")
        for role in Role:
            anvil.funded_account(f"bench {role.label}")
        self.domain = anvil.deploy_escrow()
        self.token = anvil.deploy_token(self.owner)
        anvil.rpc("evm_setAutomine", False)
        for _ in range(FINALITY_BLOCKS):
            self.mine()

    def mine(self, at: int | None = None) -> None:
        self.anvil.mine_at(at if at is not None else self.now() + BLOCK_SECONDS)

    def reorg(self, depth: int) -> None:
        self.anvil.rpc("anvil_reorg", depth, [])

    def node(self) -> Node:
        return Node(self.url, "finalized")

    def sender(self, account: LocalAccount, max_fee_wei: int = MAX_FEE_WEI) -> Account:
        return Account(self.url, self.domain.chain_id, account, max_fee_wei)


Bench = FakeBench | AnvilBench


@contextmanager
def anvil_bench() -> Iterator[AnvilBench]:
    """An anvil of its own: others mine when they like."""
    anvil = Anvil("--slots-in-an-epoch", "1").start()
    try:
        yield AnvilBench(anvil)
    finally:
        anvil.stop()


def issuer_call(verb: str, owner: str) -> bytes:
    """Calldata of what only the token's owner does."""
    contract = Web3().eth.contract(abi=load("TetherMock")["abi"])
    return Web3.to_bytes(hexstr=contract.encode_abi(verb, [owner]))
