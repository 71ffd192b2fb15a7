"""A coordinator on a real chain, without its processes: what reviews found is held here.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk import calls
from otc_sdk.artifacts import load
from sqlalchemy import Engine
from web3 import Web3

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.sender import Account
from coordinator.adapters.keys import ProvenKey
from coordinator.adapters.keys.keystore import KeystoreKey
from coordinator.db.intents import Intent
from coordinator.db.session import transaction
from coordinator.domain.cosigning import Limit
from coordinator.domain.errors import Later, Refused
from coordinator.services import disputes
from coordinator.services.cosigning import CosignPolicy, cosign
from coordinator.services.ports import CosignRefused, CosignRequest, NodeDown
from coordinator.workers.keeper import Keeper
from coordinator.workers.sender import RETRY_REFUSED_SECONDS, Sender
from tests.chain import Anvil, account_of
from tests.fake_chain import Event
from tests.watching import pool_of, watcher_over
from tests.world import AMOUNT, BUYER, COORDINATOR, PLATFORM, SELLER, TOTAL, World

FINAL_AFTER_BLOCKS = 2
MAX_FEE_WEI = 10**17
# A trader whose account has code (EIP-7702), and what such an account takes for its signature.
EVIL = account_of("evil")
CONTRACT_SIGNATURE = b"\x01" * 66
# Code that refuses every call.
REFUSE = "0x5f5ffd"
# ERC-1271: says yes; computes for ever; burns gas by touching memory far out, then says yes.
ANSWER = "7f1626ba7e" + "00" * 28 + "5f5260205ff3"
SAY_YES = "0x" + ANSWER
COMPUTE_FOR_EVER = "0x5b5f56"


def burn_then_say_yes(memory_bytes: int) -> str:
    return f"0x5f62{memory_bytes:06x}52{ANSWER}"


class DirectCosigner:
    """The co-signer without HTTP; it answers as HttpCosigner does."""

    def __init__(self, world: World, cap_units: int = 10 * TOTAL) -> None:
        self.world, self.cap_units = world, cap_units

    def cosign(self, request: CosignRequest) -> str:
        platform = self.world.platform
        day = Limit("day", 86_400, each_trader=False, units=self.cap_units, orders=1000)
        policy = CosignPolicy(
            platform.domain,
            platform.token,
            platform.fee_recipient,
            TOTAL,
            (day,),
            local_stop=lambda: None,
        )
        key = ProvenKey("keystore", KeystoreKey(COORDINATOR))
        try:
            return cosign(self.world.engine, policy, self.world.chain, key, request)
        except Later as refusal:
            raise NodeDown(refusal.message) from refusal
        except Refused as refusal:
            raise CosignRefused(refusal.message) from refusal


def keeper_of(world: World, cosigner: DirectCosigner | None = None) -> Keeper:
    return Keeper(
        world.engine, world.platform, cosigner or DirectCosigner(world), lambda: world.now
    )


class LiveWorld(World):
    """The same people and books; transactions make the events, and the sender sends them."""

    chain: Any  # a Node

    def __init__(self, engine: Engine, anvil: Anvil) -> None:
        self.engine, self.anvil = engine, anvil
        url = anvil.url
        self.owner, self.gas = anvil.funded_account(), anvil.funded_account()
        for name in ("seller", "buyer", "evil"):
            anvil.funded_account(name)
        self.platform = replace(
            PLATFORM, domain=anvil.deploy_escrow(), token=anvil.deploy_token(self.owner)
        )
        domain = self.platform.domain
        self.chain = Node(url, str(FINAL_AFTER_BLOCKS))
        self.ahead_seconds = 0
        self.watcher = watcher_over(
            pool_of(self.chain), engine, self.platform, anvil.w3.eth.block_number, lambda: self.now
        )
        self.account = Account(url, domain.chain_id, self.gas, MAX_FEE_WEI)
        self.sender = Sender(
            engine, domain.chain_id, self.account, lambda: self.chain.final_head().number,
            lambda: self.now, domain.escrow,
        )  # fmt: skip
        self.keeper = keeper_of(self)

    @property
    def now(self) -> int:
        return self.anvil.now() + self.ahead_seconds

    # Chain and time

    def mine(self, *events: Event, at: int | None = None, final: bool = True) -> None:
        """A block, read at once."""
        assert not events, "transactions make the events of a real chain"
        if at is None:
            self.anvil.rpc("evm_mine")
        else:
            self.anvil.mine_at(at)
        if final:
            self.anvil.rpc("anvil_mine", hex(FINAL_AFTER_BLOCKS))
        self.read()

    def fund(self, order_id: str, units: int = AMOUNT) -> None:
        data = calls.transfer(self.order(order_id).vault, units)
        self.anvil.send(self.owner, self.platform.token, data)

    def order_token(self, verb: str, *arguments: Any) -> None:
        """What only the token's owner does: pause, unpause, destroyBlackFunds."""
        contract = self.anvil.w3.eth.contract(abi=load("TetherMock")["abi"])
        data = Web3.to_bytes(hexstr=contract.encode_abi(verb, list(arguments)))
        self.anvil.send(self.owner, self.platform.token, data)

    def request_refund(self, order_id: str, seller: LocalAccount = SELLER) -> None:
        """On chain, as soon as the seller may, and seen."""
        terms = self.terms(order_id)
        at = max(terms.pay_by, self.anvil.now() + 1)
        self.anvil.send(seller, self.platform.domain.escrow, calls.request_refund(terms), at)
        self.mine()

    @contextmanager
    def code(self, address: str, code: str) -> Iterator[None]:
        """For a while there is other code at an address."""
        before = self.anvil.w3.eth.get_code(Web3.to_checksum_address(address)).to_0x_hex()
        self.anvil.rpc("anvil_setCode", address, code)
        try:
            yield
        finally:
            self.anvil.rpc("anvil_setCode", address, before)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Transactions wait for the next block that is asked for."""
        self.anvil.rpc("evm_setAutomine", False)
        try:
            yield
        finally:
            self.anvil.rpc("evm_setAutomine", True)

    # Workers

    def carry(self, steps: int = 1) -> None:
        """The sender works, and what it sent is mined, final and read."""
        for _ in range(steps):
            self.sender.step()
            self.mine()

    def carry_again(self) -> None:
        """What was refused for now is tried again."""
        self.ahead_seconds += RETRY_REFUSED_SECONDS
        self.carry()

    def send_in_vain(self) -> None:
        """The sender sends, and the chain reverts it: nobody can read the token just then."""
        with self.held_back():
            self.sender.step()
            with self.code(self.platform.token, REFUSE):
                self.mine()
        self.sender.step()

    # Whole stretches of an order's life

    def funded(self, ad_id: int | None = None, seller: LocalAccount = SELLER) -> str:
        order_id = self.place(ad_id or self.post_ad(maker=seller.address))
        self.sign_terms(order_id, seller, BUYER)
        self.fund(order_id)
        self.mine()
        return order_id

    def late(self) -> str:
        """Called off, and then funded."""
        order_id = self.place(self.post_ad())
        self.withdraw(order_id)
        self.fund(order_id)
        self.mine()
        return order_id

    def split(self, order_id: str, units: int, seller: LocalAccount = SELLER) -> None:
        """Both traders agree; a seller with code signs as a contract does."""
        until = self.now + 3600
        signature = CONTRACT_SIGNATURE if seller is EVIL else None
        self.sign_settlement(order_id, seller, units, until, signature)
        self.sign_settlement(order_id, BUYER, units, until)

    def open_dispute_as_contract(self, order_id: str) -> None:
        with transaction(self.engine) as session:
            disputes.open_dispute(
                session, self.platform, order_id, EVIL.address, CONTRACT_SIGNATURE, "why",
                self.now, self.chain.verify_1271,
            )  # fmt: skip

    # The books

    def intents_of(self, order_id: str) -> list[Intent]:
        return [intent for intent in self.intents() if intent.order_id == order_id]

    def intent(self, order_id: str) -> Intent:
        """The newest intent of an order."""
        return self.intents_of(order_id)[-1]

    def disputed(self, order_id: str) -> bool:
        return self.escrow(order_id).disputed_at > 0

    def tokens(self, owner: str) -> int:
        units: int = self.chain.token_balance(self.platform.token, owner)
        return units
