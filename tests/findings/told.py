"""A wallet whose coordinator lies as a test wants it to, and honest terms to change.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from otc_sdk.client import Client
from otc_sdk.deployment import escrow_address
from otc_sdk.platform import Platform
from otc_sdk.terms import EscrowDomain, Terms, vault_address

from tests.chain import account_of
from tests.world import AMOUNT, PLATFORM, SELLER

URL = "https://exchange.example"
Json = dict[str, Any]


HONEST = {
    "chain_id": 31337, "escrow": escrow_address(), "token": PLATFORM.token,
    "token_symbol": "USDT", "token_decimals": 6, "fee_bps": PLATFORM.fee_bps,
    "coordinator": PLATFORM.coordinator, "arbitrator": PLATFORM.arbitrator,
    "fee_recipient": PLATFORM.fee_recipient, "default_buyer_bps": PLATFORM.default_buyer_bps,
    "refund_window_seconds": PLATFORM.refund_window_seconds,
    "ruling_window_seconds": PLATFORM.ruling_window_seconds,
    "final_window_seconds": PLATFORM.final_window_seconds,
}  # fmt: skip
KNOWN = Platform.read(HONEST)


class Told(Client):
    """A client whose coordinator's words the test chooses; what it would post is kept."""

    def __init__(self, pinned: Sequence[Platform] = (KNOWN,), **lies: Any) -> None:
        self.answers: dict[str, Json] = {
            "/platform": {**HONEST, **lies},
            "/health": {"block_time": int(time.time())},
            "/auth/nonce": {"nonce": "a" * 16, "domain": "exchange.example", "chain_id": 31337},
            "/auth/sign-in": {"token": "t"},
        }
        self.posted: list[str] = []
        super().__init__(URL, SELLER, pinned=pinned)

    def request(self, method: str, path: str, **_: Any) -> Any:
        if method == "POST":
            self.posted.append(path)
        verb_of = re.match("/orders/(0x[0-9a-f]{64})/", path)
        return self.answers.get(path, {"id": verb_of[1]} if verb_of else {})

    def signed(self) -> bool:
        return any(path.startswith("/orders/") for path in self.posted)


def terms(**changes: Any) -> Terms:
    """What the platform advertises."""
    honest = Terms(
        token=PLATFORM.token, amount_units=AMOUNT, fee_units=AMOUNT * PLATFORM.fee_bps // 10_000,
        fee_recipient=PLATFORM.fee_recipient, seller=SELLER.address,
        buyer=account_of("buyer").address, coordinator=PLATFORM.coordinator,
        arbitrator=PLATFORM.arbitrator, pay_by=int(time.time()) + 1800,
        refund_window_seconds=3600, ruling_window_seconds=86_400, final_window_seconds=86_400,
        default_buyer_bps=PLATFORM.default_buyer_bps, salt=1,
    )  # fmt: skip
    return replace(honest, **changes)


def order(escrow: str | None = None, created_at: int | None = None, **changes: Any) -> Json:
    """An order as the coordinator tells it: id and vault follow from the terms."""
    proposed, domain = terms(**changes), EscrowDomain(31337, escrow or escrow_address())
    order_id = proposed.order_id(domain)
    return {
        "id": "0x" + order_id.hex(), "terms": proposed.to_dict(),
        "seller": proposed.seller, "buyer": proposed.buyer, "arbitrator": proposed.arbitrator,
        "amount_units": str(proposed.amount_units), "created_at": created_at or int(time.time()),
        "escrow": {"vault": vault_address(domain, order_id)},
        "fiat": "EUR", "price": "0.93000000", "payment_method": "sepa",
        "fiat_amount_minor": str(proposed.amount_units * 93 // 10**6),
    }  # fmt: skip
