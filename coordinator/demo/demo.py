"""Running the demo against a stack of its own, and checking every balance to the last unit."""

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from otc_sdk.api import Api
from otc_sdk.chain import Wallet, connect
from otc_sdk.errors import OtcError
from otc_sdk.platform import Platform
from otc_sdk.terms import Terms
from web3 import Web3

from coordinator.demo.scenarios import LETTERS, PLAN, UNIT, Scenario
from coordinator.demo.threads import together
from coordinator.demo.timeline import Timeline
from coordinator.demo.trader import POLL_SECONDS, Trader, insist
from coordinator.stack.local_chain import ask, give_coins
from coordinator.stack.stack import Ready, Stack

START_UNITS = 1000 * UNIT
# How far past a deadline the clock is moved.
PAST_SECONDS = 5
# How long the coordinator may take to see it.
FOLLOW_SECONDS = 60


@dataclass(frozen=True)
class Balance:
    """A wallet's tokens: before, what the ends of the orders should have made of it, and after."""

    name: str
    address: str
    before_units: int
    expected_units: int
    after_units: int


def told(sent: dict[str, Any]) -> bool:
    """Whether it is known what became of a transaction."""
    return sent["status"] == "obsolete" or sent["tx_hash"] is not None


def known_of(ready: Ready) -> Platform:
    """The platform by the word of who started it; its fee and windows by the API's."""
    with insist(lambda: Api(ready.api)) as anyone:
        told = Platform.read(anyone.platform)
    names = ("chain_id", "escrow", "token", "coordinator", "arbitrator")
    return replace(told, **{name: getattr(ready, name) for name in names})


class Demo:
    def __init__(self, stack: Stack, ready: Ready, timeline: Timeline) -> None:
        self.stack, self.ready, self.timeline = stack, ready, timeline
        self.w3 = connect(ready.rpc)
        self.known = known_of(ready)
        self.began = time.monotonic()
        self.scenarios: list[Scenario] = []
        self.before: dict[str, int] = {}
        self.names: dict[str, str] = {}

    def run(self) -> list[Balance]:
        """Play all orders to their ends. Raises OtcError if one does not get there."""
        self.prepare()
        together(lambda s: s.run_first(), self.scenarios)
        self.move_clock_to(max(s.order["pay_by"] for s in self.scenarios), "the pay-by time")
        together(lambda s: s.after_pay_by(), self.scenarios)
        window = self.scenarios[0].order["terms"]["refund_window_seconds"]
        self.move_clock_to(self.chain_time() + window, "the refund window")
        together(lambda s: s.after_refund_window(), self.scenarios)
        self.await_reports()
        return self.balances()

    def prepare(self) -> None:
        """New wallets for this run, coins for gas, tokens for the sellers."""
        arbitrator = self.trader("arbitrator", self.stack.accounts.load("arbitrator"))
        wallets: list[LocalAccount] = [Account.create() for _ in range(2 * len(PLAN))]
        names = [f"{who} {letter}" for letter in LETTERS for who in ("merchant", "taker")]
        traders = together(lambda pair: self.trader(*pair), zip(names, wallets, strict=True))
        for index, (kind, title, side, method, amount, price) in enumerate(PLAN):
            maker, taker = traders[2 * index : 2 * index + 2]
            self.scenarios.append(
                kind(
                    LETTERS[index],
                    title,
                    side,
                    method,
                    amount * UNIT,
                    price,
                    maker,
                    taker,
                    arbitrator,
                )
            )
        self.supply([scenario.seller for scenario in self.scenarios])
        self.names[self.platform["fee_recipient"]] = "fees"
        self.before = self.read_balances()

    @property
    def platform(self) -> dict[str, Any]:
        return self.scenarios[0].maker.client.platform

    def trader(self, name: str, account: LocalAccount) -> Trader:
        give_coins(self.w3, account.address)
        if name != "arbitrator":
            self.names[account.address] = name
        return Trader(name, self.ready.api, self.w3, account, self.known, self.timeline)

    def supply(self, sellers: list[Trader]) -> None:
        """Tokens for the sellers, from the owner of the local token."""
        owner = Wallet(self.w3, self.stack.sender())
        together(lambda s: owner.transfer(self.ready.token, s.address, START_UNITS), sellers)

    def move_clock_to(self, target: int, what: str) -> None:
        """Move the local chain's clock past a deadline, and wait until the coordinator saw it."""
        ahead = target + PAST_SECONDS - self.chain_time()
        if ahead > 0:
            ask(self.w3, "evm_increaseTime", hex(ahead))
            ask(self.w3, "evm_mine")
            self.timeline.add("-", "clock", f"{ahead // 60} minutes pass: {what} is over")
        client = self.scenarios[0].maker.client
        deadline = time.monotonic() + FOLLOW_SECONDS
        while insist(client.chain_time) < target:
            if time.monotonic() > deadline:
                raise OtcError("the coordinator did not follow the chain's clock")
            time.sleep(POLL_SECONDS)

    def chain_time(self) -> int:
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def await_reports(self) -> None:
        """Wait until the coordinator has told of all that it sent."""
        for s in self.scenarios:
            s.taker.wait_for(s.letter, s.order, None, lambda o: all(map(told, o["transactions"])))

    def read_balances(self) -> dict[str, int]:
        return {address: self.token_balance(address) for address in self.names}

    def token_balance(self, address: str) -> int:
        data = Web3.keccak(text="balanceOf(address)")[:4] + bytes(12) + bytes.fromhex(address[2:])
        answer = self.w3.eth.call({"to": Web3.to_checksum_address(self.ready.token), "data": data})
        return int.from_bytes(answer, "big")

    def balances(self) -> list[Balance]:
        """Before, expected by the orders' ends, and after; every vault must be empty."""
        expected = dict(self.before)
        for scenario in self.scenarios:
            terms = Terms.from_dict(scenario.order["terms"])
            fee = terms.fee_units * scenario.share // terms.amount_units
            expected[terms.seller] -= scenario.share
            expected[terms.buyer] += scenario.share - fee
            expected[terms.fee_recipient] += fee
            vault = scenario.order["escrow"]["vault"]
            self.names[vault] = f"vault {scenario.letter}"
            self.before[vault] = expected[vault] = 0
        after = self.read_balances()
        return [
            Balance(name, address, self.before[address], expected[address], after[address])
            for address, name in self.names.items()
        ]

    def result(self, balances: list[Balance]) -> dict[str, Any]:
        """The whole run as one JSON object."""
        return {
            "chain_id": self.ready.chain_id,
            "token": self.ready.token,
            "escrow": self.ready.escrow,
            "seconds": round(time.monotonic() - self.began, 1),
            "orders": [self.order_result(scenario) for scenario in self.scenarios],
            "balances": [asdict(balance) for balance in balances],
            "timeline": [asdict(event) for event in self.timeline.events],
            "ok": all(b.expected_units == b.after_units for b in balances),
        }

    def order_result(self, scenario: Scenario) -> dict[str, Any]:
        transactions = [
            {"who": e.who, "what": e.what, "tx_hash": e.tx_hash, "gas": e.gas}
            for e in self.timeline.events
            if e.order == scenario.letter and e.tx_hash
        ]
        return {
            "letter": scenario.letter,
            "title": scenario.title,
            "order_id": scenario.order["id"],
            "vault": scenario.order["escrow"]["vault"],
            "end": scenario.order["status"],
            "amount_units": scenario.amount_units,
            "to_buyer_units": scenario.share,
            "settled_tx": scenario.order["escrow"]["settled_tx"],
            "transactions": transactions,
            "gas": sum(t["gas"] or 0 for t in transactions),
        }
