"""How fast the watcher takes a chain's history into PostgreSQL, and how soon it shows what is new.

    python benchmarks/watching.py           measures and writes results/watching.json
    python benchmarks/watching.py --short   a tenth of it, printed only

Orders are funded and settled by real transactions on a local chain; both loops read the same logs.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from sqlalchemy import Engine, func
from sqlmodel import col, select
from web3 import Web3

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.nodes import Agreed, Pool, Ranked
from coordinator.db.chain import Log
from coordinator.db.session import transaction
from coordinator.domain.chain_logs import decode
from coordinator.services import ads, orders, users
from coordinator.workers.watcher import Watcher
from scripts.compile import ROOT
from tests.chain import TOKEN_SUPPLY_UNITS, Anvil, account_of
from tests.world import OFFER, PLATFORM, UNIT, WANT

RESULTS = Path(__file__).parent / "results" / "watching.json"
MULTI_SEND = ROOT / (
    "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts/libraries/"
    "MultiSendCallOnly.sol/MultiSendCallOnly.json"
)
ORDERS = 4_000
ORDERS_PER_TRADER = 100
TRANSFERS_PER_TRANSACTION = 200
SETTLEMENTS_PER_TRANSACTION = 40
FINAL_AFTER_BLOCKS = 2
VAULTS_IN_MEMORY = 100_000
NEW_BLOCKS = 100
AMOUNT = 10 * UNIT


class Bench:
    """A chain with the history of many orders, and the books of their coordinator."""

    def __init__(self, anvil: Anvil, engine: Engine, count: int) -> None:
        self.anvil, self.engine, self.count = anvil, engine, count
        self.url = str(anvil.w3.provider.endpoint_uri)  # type: ignore[attr-defined]
        self.gas = anvil.funded_account("gas")
        self.platform = replace(
            PLATFORM, domain=anvil.deploy_escrow(), token=anvil.deploy_token(self.gas)
        )
        self.start = anvil.w3.eth.block_number

    def now(self) -> int:
        return self.anvil.now()

    def node(self) -> Node:
        return Node(self.url, str(FINAL_AFTER_BLOCKS))

    def watcher(self) -> Watcher:
        pool = Pool([("anvil", self.node())])
        return Watcher(self.engine, self.platform, Ranked(pool), Agreed(pool), self.start, self.now)

    # A history

    def place(self) -> list[tuple[LocalAccount, LocalAccount, Terms]]:
        placed = []
        for group in range(-(-self.count // ORDERS_PER_TRADER)):
            seller, buyer = account_of(f"seller {group}"), account_of(f"buyer {group}")
            with transaction(self.engine) as session:
                users.ensure_user(session, seller.address, self.now())
                total = ORDERS_PER_TRADER * AMOUNT
                offer = replace(OFFER, maker=seller.address, available_units=total)
                ad = ads.post(session, self.platform, offer, "", self.now()).id
            for _ in range(min(ORDERS_PER_TRADER, self.count - len(placed))):
                with transaction(self.engine) as session:
                    want = replace(WANT, taker=buyer.address, amount_units=AMOUNT)
                    order = orders.place(session, self.platform, want, ad, self.now())
                    placed.append((seller, buyer, Terms.from_dict(order.terms)))
        return placed

    def fund(self, placed: list[tuple[LocalAccount, LocalAccount, Terms]]) -> None:
        """Through Safe's MultiSendCallOnly, which holds the tokens: many transfers at once."""
        code = bytes.fromhex(json.loads(MULTI_SEND.read_text())["bytecode"][2:])
        sender = str(self.anvil.send(self.gas, None, code)["contractAddress"])
        supply = calls.transfer(sender, TOKEN_SUPPLY_UNITS // 2)
        self.anvil.send(self.gas, self.platform.token, supply)
        for some in chunks(placed, TRANSFERS_PER_TRANSACTION):
            packed = b"".join(self.packed(self.vault(terms)) for _, _, terms in some)
            self.anvil.send(self.gas, sender, calls.call("multiSend(bytes)", packed))

    def vault(self, terms: Terms) -> str:
        from otc_sdk.terms import vault_address

        return vault_address(self.platform.domain, terms.order_id(self.platform.domain))

    def packed(self, vault: str) -> bytes:
        data = calls.transfer(vault, AMOUNT)
        token = bytes.fromhex(self.platform.token[2:])
        return b"\0" + token + bytes(32) + len(data).to_bytes(32, "big") + data

    def settle(self, placed: list[tuple[LocalAccount, LocalAccount, Terms]]) -> None:
        until = self.now() + 86_400
        for some in chunks(placed, SETTLEMENTS_PER_TRANSACTION):
            items = [(terms, AMOUNT, until, self.both(one, terms, until)) for *one, terms in some]
            self.anvil.send(self.gas, self.platform.domain.escrow, calls.settle_batch(items))

    def both(self, traders: list[LocalAccount], terms: Terms, until: int) -> calls.Signatures:
        message = messages.settlement(
            self.platform.domain, terms.order_id(self.platform.domain), AMOUNT, until
        )
        seller, buyer = (messages.sign(trader, message) for trader in traders)
        return {Role.SELLER: seller, Role.BUYER: buyer}

    # What is measured

    def bare(self) -> tuple[float, int]:
        """The usual loop: web3 fetches and decodes, nothing is kept."""
        w3 = self.anvil.w3
        token = w3.eth.contract(
            Web3.to_checksum_address(self.platform.token), abi=load("TetherMock")["abi"]
        )
        escrow = w3.eth.contract(
            Web3.to_checksum_address(self.platform.domain.escrow), abi=load("Escrow")["abi"]
        )
        last = w3.eth.block_number
        begun, found = time.perf_counter(), 0
        for contract, name in ((token, "Transfer"), (escrow, "Settled")):
            event = contract.events[name]()
            found += len(event.get_logs(from_block=self.start, to_block=last))
        return time.perf_counter() - begun, found

    def lean(self) -> tuple[float, int]:
        """Our own reading and decoding, nothing is kept."""
        node, escrow = self.node(), self.platform.domain.escrow
        last = node.head().number
        begun = time.perf_counter()
        logs = node.logs_in_range(self.start, last, [], escrow)
        logs += node.logs_in_range(self.start, last, [], self.platform.token)
        found = sum(1 for e in logs if decode(escrow, e.address, e.topics, e.data))
        return time.perf_counter() - begun, found

    def backfill(self) -> tuple[float, int]:
        watcher = self.watcher()
        begun = time.perf_counter()
        while watcher.step():
            pass
        seconds = time.perf_counter() - begun
        watcher.lock.release()
        with transaction(self.engine) as session:
            return seconds, session.exec(select(func.count(col(Log.id)))).one()


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]
