"""A chain to measure gas on: escrow, token, four parties, a Safe, and orders between them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount
from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import ZERO_ADDRESS, EscrowDomain, Terms, digest, vault_address
from web3 import Web3

from scripts.compile import ROOT
from tests.chain import TOKEN_SUPPLY_UNITS, Anvil, account_of
from tests.mocks import mock

START = 1_800_000_000
VALID_UNTIL = START + 86_400
AMOUNT = 1_000_000_000
PAY_SECONDS, REFUND_SECONDS, RULING_SECONDS, FINAL_SECONDS = 100, 200, 300, 400
# They hold the token before anything is measured.
BUYERS = tuple(f"buyer {i}" for i in range(50))

SAFE = ROOT / "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts"
SAFE_OWNERS, SAFE_THRESHOLD = 3, 2
SAFE_SETUP = "setup(address[],uint256,address,bytes,address,address,uint256,address)"

Sign = Callable[[SignableMessage], bytes]


class Bench:
    """A fresh chain with escrow and token; every method sends one transaction of its own block."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.time = START
        self.salt = 0
        self.parties = {role: anvil.funded_account(role.label) for role in Role}
        known = (*self.parties.values(), *map(account_of, BUYERS))
        self.signers: dict[str, Sign] = {a.address: partial(messages.sign, a) for a in known}
        self.relayer = anvil.funded_account("relayer")
        owner = anvil.funded_account("owner")
        self.owner = owner
        artifact = load("Escrow")
        # Plain creation: the address, and so each zero byte in calldata, outlives changed code.
        receipt = self.send(owner, None, bytes.fromhex(artifact["bytecode"][2:]))
        self.deploy_gas = int(receipt["gasUsed"])
        chain_id = anvil.w3.eth.chain_id
        self.domain = EscrowDomain(chain_id, str(receipt["contractAddress"]))
        self.token = self.create(load("TetherMock"), TOKEN_SUPPLY_UNITS, 6)
        self.give(self.token, self.parties[Role.SELLER].address, 10_000 * AMOUNT)
        for name in ("buyer", "treasury", *BUYERS):
            self.give(self.token, account_of(name).address, 1)

    def send(self, by: LocalAccount, to: str | None, data: bytes) -> Any:
        self.time += 1
        return self.anvil.send(by, to, data, at=self.time)

    def spend(self, by: LocalAccount, to: str, data: bytes) -> int:
        """Gas of a transaction."""
        return int(self.send(by, to, data)["gasUsed"])

    def create(self, artifact: dict[str, Any], *arguments: Any) -> str:
        factory = self.anvil.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        data = factory.constructor(*arguments).data_in_transaction
        return str(self.send(self.owner, None, Web3.to_bytes(hexstr=data))["contractAddress"])

    def mock(self, name: str, *arguments: Any) -> str:
        return self.create(mock(name), *arguments)

    def give(self, token: str, to: str, amount_units: int) -> None:
        self.send(self.owner, token, calls.transfer(to, amount_units))

    def order(self, buyer: str = "buyer", /, **changes: Any) -> Terms:
        self.salt += 1
        terms = Terms(
            token=self.token,
            amount_units=AMOUNT,
            fee_units=AMOUNT // 100,
            fee_recipient=account_of("treasury").address,
            seller=self.parties[Role.SELLER].address,
            buyer=account_of(buyer).address,
            coordinator=self.parties[Role.COORDINATOR].address,
            arbitrator=self.parties[Role.ARBITRATOR].address,
            pay_by=self.time + PAY_SECONDS,
            refund_window_seconds=REFUND_SECONDS,
            ruling_window_seconds=RULING_SECONDS,
            final_window_seconds=FINAL_SECONDS,
            default_buyer_bps=5_000,
            salt=self.salt,
        )
        return replace(terms, **changes)

    def vault(self, order: Terms) -> str:
        return vault_address(self.domain, order.order_id(self.domain))

    def funded(self, buyer: str = "buyer", /, **changes: Any) -> Terms:
        order = self.order(buyer, **changes)
        self.fund(order)
        return order

    def fund(self, order: Terms) -> int:
        return self.transfer(self.vault(order))

    def transfer(self, to: str) -> int:
        data = calls.transfer(to, AMOUNT)
        return self.spend(self.parties[Role.SELLER], self.token, data)

    def settlement(self, order: Terms, to_buyer: int) -> SignableMessage:
        order_id = order.order_id(self.domain)
        return messages.settlement(self.domain, order_id, to_buyer, VALID_UNTIL)

    def signed(self, order: Terms, to_buyer: int, roles: Iterable[Role]) -> dict[Role, bytes]:
        message = self.settlement(order, to_buyer)
        signed = {role: self.sign(order, role, message) for role in roles}
        return messages.as_sent(order, message, signed)

    def sign(self, order: Terms, role: Role, message: SignableMessage) -> bytes:
        """The signature of the key, or the Safe, that holds the role."""
        return self.signers[order.holder(role)](message)

    def settle(
        self, by: LocalAccount, order: Terms, to_buyer: int, signatures: dict[Role, bytes]
    ) -> int:
        return self.call(by, calls.settle(order, to_buyer, VALID_UNTIL, signatures))

    def dispute_relayed(self, order: Terms, by: Role) -> int:
        message = messages.dispute(self.domain, order.order_id(self.domain))
        return self.call(self.relayer, calls.dispute(order, by, self.sign(order, by, message)))

    def request_refund_relayed(self, order: Terms) -> int:
        message = messages.refund_request(self.domain, order.order_id(self.domain))
        signature = self.sign(order, Role.SELLER, message)
        return self.call(self.relayer, calls.request_refund(order, signature))

    @cached_property
    def safe(self) -> str:
        """Address of a Safe, made when it is first asked for."""
        safe = Safe(self)
        self.signers[safe.address] = safe.sign
        return safe.address

    def call(self, by: LocalAccount, data: bytes) -> int:
        return self.spend(by, self.domain.escrow, data)


class Safe:
    """A real Safe, two of three, from Safe's published artefacts. It signs by ERC-1271."""

    def __init__(self, bench: Bench) -> None:
        handler = "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json"
        self.chain_id = bench.domain.chain_id
        self.owners = sorted(
            (account_of(f"owner {i} of the Safe") for i in range(SAFE_OWNERS)),
            key=lambda owner: int(owner.address, 16),
        )
        singleton = bench.create(published("Safe.sol/Safe.json"))
        fallback = bench.create(published(handler))
        proxy = published("proxies/SafeProxy.sol/SafeProxy.json")
        self.address = bench.create(proxy, singleton)
        owners = [owner.address for owner in self.owners]
        setup = calls.call(SAFE_SETUP, owners, SAFE_THRESHOLD, ZERO_ADDRESS, b"", fallback,
                           ZERO_ADDRESS, 0, ZERO_ADDRESS)  # fmt: skip
        bench.send(bench.owner, self.address, setup)

    def sign(self, message: SignableMessage) -> bytes:
        """Signatures of the threshold's owners, by address, over Safe's own message."""
        wrapped = encode_typed_data(
            domain_data={"chainId": self.chain_id, "verifyingContract": self.address},
            message_types={"SafeMessage": [{"name": "message", "type": "bytes"}]},
            message_data={"message": encode(["bytes32"], [digest(message)])},
        )
        signers = self.owners[:SAFE_THRESHOLD]
        return b"".join(messages.sign(owner, wrapped) for owner in signers)


def published(path: str) -> dict[str, Any]:
    artifact: dict[str, Any] = json.loads(Path(SAFE / path).read_text())
    return artifact
