"""A user's program: a wallet, the coordinator's API, and the chain."""

import time
from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk.chain import EscrowAccount, Sent
from otc_sdk.client import Client
from otc_sdk.errors import OtcError
from otc_sdk.terms import Terms
from web3 import Web3

from coordinator.demo.timeline import Timeline

POLL_SECONDS = 0.2
WAIT_SECONDS = 120
Json = dict[str, Any]


class Trader:
    """One person of the demo; everything they do shows up in the timeline."""

    def __init__(
        self, name: str, api: str, w3: Web3, account: LocalAccount, timeline: Timeline
    ) -> None:
        self.name, self.timeline = name, timeline
        self.client = Client(api, account)
        self.chain = EscrowAccount(w3, self.client.domain, account)
        self.client.sign_in()

    @property
    def address(self) -> str:
        return self.client.address

    def say(self, letter: str, what: str, sent: Sent | None = None) -> None:
        if sent is None:
            self.timeline.add(letter, self.name, what)
        else:
            self.timeline.add(letter, self.name, what, sent.tx_hash, sent.gas_used)

    def post_ad(self, letter: str, ad: Json) -> Json:
        posted: Json = self.client.post("/ads", ad)
        self.say(
            letter, f"posts ad {posted['id']}: {ad['side']}s USDT at {ad['price']} {ad['fiat']}"
        )
        return posted

    def take(self, letter: str, want: Json) -> Json:
        order: Json = self.client.post("/orders", want)
        self.say(
            letter, f"takes ad {order['ad_id']} at {order['price']}: order {order['id'][:10]}…"
        )
        return order

    def sign_terms(self, letter: str, order: Json) -> None:
        self.client.sign_terms(order)
        self.say(letter, "checks vault and terms, signs them")

    def fund(self, letter: str, order: Json) -> None:
        sent = self.chain.fund(self.client.checked_terms(order))
        self.say(letter, f"funds vault {order['escrow']['vault'][:10]}…", sent)

    def pay(self, letter: str, order: Json, reference: str) -> None:
        self.client.mark_paid(order, reference)
        self.say(letter, f"says paid ({reference}), signs a dispute ahead")

    def request_refund(self, letter: str, order: Json) -> None:
        sent = self.chain.request_refund(Terms.from_dict(order["terms"]))
        self.say(letter, "asks for a refund on chain", sent)

    def reclaim(self, letter: str, order: Json) -> None:
        """The seller's refund by time, with nobody's help."""
        until = int(self.chain.w3.eth.get_block("latest")["timestamp"]) + 3600
        sent = self.chain.settle(Terms.from_dict(order["terms"]), 0, until)
        self.say(letter, "takes the refund alone", sent)

    def sign(self, letter: str, order: Json, to_buyer_units: int, what: str,
             valid_until: int | None = None) -> Json:  # fmt: skip
        signed = self.client.sign_settlement(order, to_buyer_units, valid_until)
        self.say(letter, what)
        return signed

    def wait_for(self, letter: str, order: Json, what: str, done: Callable[[Json], bool]) -> Json:
        """Poll the order until `done`. Raises OtcError after WAIT_SECONDS."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found = self.client.order(order["id"])
            if done(found):
                self.say(letter, what)
                return found
            time.sleep(POLL_SECONDS)
        raise OtcError(f"order {letter} is {found['status']} and not: {what}")

    def wait_for_status(self, letter: str, order: Json, status: str) -> Json:
        return self.wait_for(
            letter, order, f"sees the order {status}", lambda o: o["status"] == status
        )
