"""A user's program: a wallet, the coordinator's API, and the chain."""

import time
from collections.abc import Callable
from typing import Any

from eth_account.signers.local import LocalAccount
from otc_sdk.chain import EscrowAccount, Sent
from otc_sdk.client import Client
from otc_sdk.errors import ApiError, OtcError
from otc_sdk.order import VALIDITY_SECONDS
from otc_sdk.platform import Platform
from otc_sdk.terms import Terms
from web3 import Web3

from coordinator.demo.timeline import Timeline

POLL_SECONDS = 0.1
WAIT_SECONDS = 120
OUTAGE_SECONDS = 60
# No answer at all, and the API's word for a database or node that does not answer.
OUTAGES = (0, 503)
CONFLICT = 409
UNIT = 10**6
Json = dict[str, Any]


def insist(act: Callable[[], Any], read: Callable[[], Any] | None = None) -> Any:
    """Do it again while the coordinator does not answer, as a person would.

    An answer may be lost after the request got through: then the repetition is a conflict, and
    `read` tells how things are now. Raises ApiError.
    """
    deadline = time.monotonic() + OUTAGE_SECONDS
    lost = False
    while True:
        try:
            return act()
        except ApiError as error:
            if lost and error.status == CONFLICT and read is not None:
                return read()
            if error.status not in OUTAGES or time.monotonic() > deadline:
                raise
        lost = True
        time.sleep(POLL_SECONDS)


class Trader:
    """One person of the demo; everything they do shows up in the timeline."""

    def __init__(
        self,
        name: str,
        api: str,
        w3: Web3,
        account: LocalAccount,
        platform: Platform,
        timeline: Timeline,
    ) -> None:
        self.name, self.timeline = name, timeline
        self.client: Client = insist(lambda: Client(api, account, pinned=[platform]))
        self.chain = EscrowAccount(w3, self.client.domain, account)
        insist(self.client.sign_in)

    @property
    def address(self) -> str:
        return self.client.address

    def say(self, letter: str, what: str, sent: Sent | None = None) -> None:
        if sent is None:
            self.timeline.add(letter, self.name, what)
        else:
            self.timeline.add(letter, self.name, what, sent.tx_hash, sent.gas_used)

    def post_ad(self, letter: str, ad: Json) -> Json:
        posted: Json = insist(lambda: self.client.post("/ads", ad))
        what = f"posts ad {posted['id']}: {ad['side']}s USDT at {ad['price']} {ad['fiat']}"
        self.say(letter, what)
        return posted

    def take(self, letter: str, want: Json) -> Json:
        order: Json = insist(lambda: self.client.post("/orders", want))
        amount = int(want["amount_units"]) // UNIT
        self.say(letter, f"takes ad {order['ad_id']} for {amount} USDT: order {order['id'][:10]}…")
        return order

    def current(self, order: Json) -> Json:
        found: Json = self.client.order(order["id"])
        return found

    def sign_terms(self, letter: str, order: Json) -> None:
        insist(lambda: self.client.sign_terms(order), lambda: self.current(order))
        self.say(letter, "checks vault and terms, signs them")

    def fund(self, letter: str, order: Json) -> None:
        decimals = self.client.platform["token_decimals"]
        sent = self.chain.fund(self.client.terms_to_enter(order), decimals)
        amount = int(order["amount_units"]) // UNIT
        self.say(letter, f"funds vault {order['escrow']['vault'][:10]}… with {amount} USDT", sent)

    def pay(self, letter: str, order: Json, reference: str) -> None:
        insist(lambda: self.client.mark_paid(order, reference), lambda: self.current(order))
        self.say(letter, f"says paid ({reference}), signs a dispute ahead")

    def open_dispute(self, letter: str, order: Json, reason: str) -> None:
        insist(lambda: self.client.open_dispute(order, reason), lambda: self.current(order))
        self.say(letter, f"opens a dispute: {reason}")

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
        # The same until, however often it must be sent: it is one settlement.
        until = valid_until or insist(self.client.chain_time) + VALIDITY_SECONDS
        signed: Json = insist(
            lambda: self.client.sign_settlement(order, to_buyer_units, until),
            lambda: self.current(order),
        )
        self.say(letter, what)
        return signed

    def wait_for(
        self, letter: str, order: Json, what: str | None, done: Callable[[Json], bool]
    ) -> Json:
        """Poll the order until `done`, then say `what`. Raises OtcError after WAIT_SECONDS."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            found: Json = insist(lambda: self.current(order))
            self.timeline.add_mined(letter, found["transactions"])
            if done(found):
                if what is not None:
                    self.say(letter, what)
                return found
            time.sleep(POLL_SECONDS)
        raise OtcError(f"order {letter} is {found['status']} after {WAIT_SECONDS} s; {what}: no")

    def wait_for_status(self, letter: str, order: Json, status: str) -> Json:
        return self.wait_for(
            letter, order, f"sees the order {status}", lambda o: o["status"] == status
        )
