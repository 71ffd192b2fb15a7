"""A coordinator's API for one wallet. Everything that is signed is checked here first."""

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.base import BaseAccount
from siwe import SiweMessage

from otc_sdk import messages, order_log
from otc_sdk.api import Api
from otc_sdk.asked import require_asked, require_price
from otc_sdk.deployment import escrow_address
from otc_sdk.errors import ApiError, TermsError
from otc_sdk.known_platforms import known
from otc_sdk.order import VALIDITY_SECONDS, Limits, Order, require_soon
from otc_sdk.payout import payout
from otc_sdk.platform import Platform, require_known
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

__all__ = ["Client", "Limits"]

SIGN_IN_SECONDS = 300
STATEMENT = "Sign in to the OTC escrow coordinator."
# The least time to pay, by our clock, that new terms leave: the deposit must become final first.
MIN_PAY_AHEAD_SECONDS = 300
ORDER_ID = re.compile("0x[0-9a-f]{64}")
ID_PREFIX = re.compile("(0x)?[0-9a-f]{6,64}")
MAX_LISTED = 200
LOOPBACK = ("127.0.0.1", "localhost")
Json = dict[str, Any]


class Client(Api):
    """Raises ApiError if the coordinator refuses, TermsError if it proposes what it must not."""

    def __init__(
        self,
        base_url: str,
        account: BaseAccount,
        limits: Limits | None = None,
        escrow: str | None = None,
        pinned: Sequence[Platform] | None = None,
    ) -> None:
        """`pinned` is the platform as it is, then as it was, by another word than the server's: by
        default what `otc` remembered, or the file in OTC_PLATFORM. Without any nothing is signed.

        `escrow` is the contract to trust; by default this build's, whose address follows from its
        code (CREATE2): vaults of another contract could obey anybody.

        Raises TermsError if the server says otherwise of itself.
        """
        self.pinned = list(known(base_url) if pinned is None else pinned)
        super().__init__(base_url)
        self.account = account
        self.limits = limits or Limits()
        try:
            self.require_same_platform(escrow or escrow_address())
        except TermsError:
            self.http.close()
            raise

    def require_same_platform(self, escrow: str) -> None:
        """Raise TermsError unless the server says of itself what is pinned, with this escrow."""
        if not self.pinned:
            return
        changes = self.pinned[0].changes(Platform.read(self.platform))
        if changes:
            raise TermsError(
                f"refused: {self.http.base_url} is not the platform you know: "
                f"{'; '.join(changes)}. Ask its operator by another way; "
                "then `otc platform accept`"
            )
        if self.domain.escrow != escrow:
            raise TermsError(f"refused: {self.domain.escrow} is not the trusted escrow {escrow}")

    @property
    def address(self) -> str:
        return str(self.account.address)

    def sign_in(self) -> None:
        """Sign in by wallet (EIP-4361); the token is kept for the calls that follow."""
        challenge = self.post("/auth/nonce")
        now = datetime.now(UTC)
        message = SiweMessage(
            domain=self.own_domain(challenge["domain"]),
            address=self.address,
            statement=STATEMENT,
            uri=str(self.http.base_url),
            version="1",
            chain_id=self.domain.chain_id,
            nonce=challenge["nonce"],
            issued_at=now.isoformat(timespec="seconds"),
            expiration_time=(now + timedelta(seconds=SIGN_IN_SECONDS)).isoformat(
                timespec="seconds"
            ),
        ).prepare_message()
        signature = self.sign(encode_defunct(text=message))
        token = self.post("/auth/sign-in", {"message": message, "signature": signature})["token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def sign(self, message: SignableMessage) -> str:
        return "0x" + messages.sign(self.account, message).hex()

    def post_ad(self, ad: Json) -> Json:
        """Post an ad of this wallet's. Members as in the API's `AdIn`."""
        posted: Json = self.post("/ads", ad)
        return posted

    def close_ad(self, ad_id: int) -> Json:
        closed: Json = self.post(f"/ads/{ad_id}/close")
        return closed

    def place_order(self, want: Json) -> Json:
        """Take an ad; the answer holds the terms to sign. Members as in the API's `OrderIn`.

        Raises TermsError unless the terms are of what was asked for: role, amount, or the fiat
        amount at the order's price, and no price that is worse than `worst_price`. Without that
        any price is taken: give it, unless a person looks at the terms.
        """
        placed: Json = self.post("/orders", want)
        self.terms_to_enter(placed)
        require_asked(self.read(placed), want, self.address)
        return placed

    def orders(self, limit: int = 50) -> list[Json]:
        """This wallet's orders, newest first."""
        found: list[Json] = self.get("/orders", limit=limit)
        return found

    def order(self, order_id: str) -> Json:
        """The order that was asked for. Raises TermsError if the answer is another one."""
        return told_of(order_id, self.get(f"/orders/{order_id}"))

    def resolve(self, text: str) -> str:
        """The id of the one order of this wallet's that begins with `text`. Raises TermsError.

        The coordinator lists the orders, so it could choose one that begins so: look at what it is
        before signing.
        """
        prefix = text.strip().lower()
        if is_order_id(prefix):
            return prefix
        if not ID_PREFIX.fullmatch(prefix):
            raise TermsError(f"{text!r} is no order id, nor 6 or more hex digits it begins with")
        prefix = "0x" + prefix.removeprefix("0x")
        found = [o["id"] for o in self.orders(MAX_LISTED) if o["id"].startswith(prefix)]
        if len(found) > 1:
            raise TermsError(f"{len(found)} orders begin with {prefix}: give more digits")
        if not found:
            raise TermsError(f"no order of {self.address} begins with {prefix}")
        return str(found[0])

    def log(self, order_id: str) -> list[Json]:
        """The order's log. Raises LogError if its chain of hashes is broken."""
        entries: list[Json] = self.get(f"/orders/{order_id}/log")
        order_log.require_whole(entries, order_id)
        return entries

    def withdraw(self, order: Json) -> Json:
        """Call an order off before anything was deposited."""
        return self.act(order, "withdraw")

    def sign_terms(self, order: Json, worst_price: str | None = None) -> Json:
        """Check an order's terms and vault, then sign the terms.

        `worst_price` is the highest to buy at, or the lowest to sell at, in fiat for a whole token:
        a maker's program gives that of its ad, for the order's price is the coordinator's word.
        """
        terms = self.terms_to_enter(order)
        found = self.read(order)
        require_price(found, found.role_of(self.address), worst_price)
        return self.act(order, "terms-signature", signature=self.sign(terms.signable(self.domain)))

    def mark_paid(self, order: Json, reference: str) -> Json:
        """Say that the fiat is sent, and leave a signed dispute with the watchtower."""
        self.checked_terms(order)
        signature = self.sign(self.dispute_of(order))
        return self.act(order, "paid", reference=reference, dispute_signature=signature)

    def open_dispute(self, order: Json, reason: str) -> Json:
        self.checked_terms(order)
        signature = self.sign(self.dispute_of(order))
        return self.act(order, "dispute", reason=reason, signature=signature)

    def act(self, order: Json, verb: str, **body: Any) -> Json:
        """Post to one order; the answer is that order."""
        return told_of(order["id"], self.post(f"/orders/{order['id']}/{verb}", body))

    def dispute_of(self, order: Json) -> SignableMessage:
        return messages.dispute(self.domain, bytes.fromhex(order["id"][2:]))

    def sign_settlement(
        self, order: Json, to_buyer_units: int, valid_until: int | None = None
    ) -> Json:
        """Sign a settlement of an order: this gives the rest to the seller, for good."""
        terms = self.checked_terms(order)
        payout(terms, to_buyer_units)
        until = valid_until or self.chain_time() + VALIDITY_SECONDS
        require_soon(until)
        order_id = bytes.fromhex(order["id"][2:])
        message = messages.settlement(self.domain, order_id, to_buyer_units, until)
        return self.act(
            order,
            "settlements",
            to_buyer_units=str(to_buyer_units),
            valid_until=until,
            signature=self.sign(message),
        )

    def release(self, order: Json) -> Json:
        """All to the buyer: what a seller signs after the fiat has arrived."""
        return self.sign_settlement(order, self.checked_terms(order).amount_units)

    def refund(self, order: Json) -> Json:
        """All to the seller: what a buyer signs to give an order up."""
        return self.sign_settlement(order, 0)

    def read(self, order: Json) -> Order:
        """The order, if what is told of it follows from its terms. Raises TermsError."""
        return Order.read(order, self.platform)

    def checked_terms(self, order: Json) -> Terms:
        """The order's terms, if its id and vault follow from them and they are safe to sign.

        Raises TermsError naming the fault.
        """
        found = self.read(order)
        found.role_of(self.address)
        found.require_safe(self.limits)
        require_known(self.pinned, found.terms, is_new=False)
        return found.terms

    def terms_to_enter(self, order: Json) -> Terms:
        """The same for terms to be signed or funded: the platform's of now, with time to pay."""
        terms = self.checked_terms(order)
        require_known(self.pinned, terms, is_new=True)
        left = terms.pay_by - int(time.time())
        if left < MIN_PAY_AHEAD_SECONDS:
            raise TermsError(
                f"refused: the pay-by time {terms.pay_by} is over, or less than "
                f"{MIN_PAY_AHEAD_SECONDS} seconds ahead"
            )
        return terms

    def role_in(self, order: Json) -> Role | None:
        return Terms.from_dict(order["terms"]).role_of(self.address)

    def own_domain(self, told: str) -> str:
        """The domain to sign in to. Raises ApiError if it names a site other than this one.

        Signing another site's name would let whoever asked sign in there as this wallet.
        """
        url = self.http.base_url
        here = (url.netloc.decode(), url.host)
        local = url.host in LOOPBACK and told.split(":")[0] in LOOPBACK
        if not local and told.lower() not in here:
            raise ApiError(200, "other_domain", f"{here[0]} asks to sign in to {told}: refused")
        return told


def is_order_id(text: str) -> bool:
    """Whether it is a whole id, and not the beginning of one."""
    return ORDER_ID.fullmatch(text.strip().lower()) is not None


def told_of(order_id: str, answer: Json) -> Json:
    """What was told of this order. Raises TermsError if it is of another one."""
    told = answer.get("id") if isinstance(answer, dict) else None
    if told != order_id:
        raise TermsError(f"refused: asked for order {order_id}, told of {told}")
    return answer
