"""A coordinator's API for one wallet. Everything that is signed is checked here first."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

import httpx
from eth_account.messages import SignableMessage, encode_defunct
from eth_account.signers.base import BaseAccount
from siwe import SiweMessage

from otc_sdk import messages
from otc_sdk.errors import ApiError, TermsError
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address

TIMEOUT_SECONDS = 15
SIGN_IN_SECONDS = 300
# How long a settlement stays valid unless the caller says otherwise.
VALIDITY_SECONDS = 7 * 86_400
STATEMENT = "Sign in to the OTC escrow coordinator."
Json = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """Windows that a trader's client accepts, in seconds.

    A refund window shorter than `min_refund_window_seconds` would leave a buyer no time to open a
    dispute; horizons beyond `max_horizon_seconds` would lock the seller's tokens for too long.
    """

    min_refund_window_seconds: int = 600
    min_ruling_window_seconds: int = 3600
    max_horizon_seconds: int = 120 * 86_400


class Client:
    """Raises ApiError if the coordinator refuses, TermsError if it proposes what it must not."""

    def __init__(self, base_url: str, account: BaseAccount, limits: Limits | None = None) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        self.account = account
        self.limits = limits or Limits()
        self.platform: Json = self.get("/platform")
        self.domain = EscrowDomain(self.platform["chain_id"], self.platform["escrow"])

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    @property
    def address(self) -> str:
        return str(self.account.address)

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Json | None = None) -> Any:
        return self.request("POST", path, json=body or {})

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self.http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise ApiError(0, "unreachable", f"{self.http.base_url} fails: {error}") from error
        if answer.is_success:
            return answer.json()
        try:
            refusal = answer.json()
            raise ApiError(answer.status_code, refusal["code"], refusal["message"])
        except (ValueError, KeyError, TypeError):
            raise ApiError(answer.status_code, "unknown", answer.text[:200]) from None

    def sign_in(self) -> None:
        """Sign in by wallet (EIP-4361); the token is kept for the calls that follow."""
        challenge = self.post("/auth/nonce")
        now = datetime.now(UTC)
        message = SiweMessage(
            domain=challenge["domain"],
            address=self.address,
            statement=STATEMENT,
            uri=str(self.http.base_url),
            version="1",
            chain_id=challenge["chain_id"],
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

    def chain_time(self) -> int:
        """Unix seconds of the newest block that the coordinator has read."""
        return int(self.get("/health")["block_time"])

    def order(self, order_id: str) -> Json:
        found: Json = self.get(f"/orders/{order_id}")
        return found

    def sign_terms(self, order: Json) -> Json:
        """Check an order's terms and vault, then sign the terms."""
        terms = self.checked_terms(order)
        body = {"signature": self.sign(terms.signable(self.domain))}
        signed: Json = self.post(f"/orders/{order['id']}/terms-signature", body)
        return signed

    def mark_paid(self, order: Json, reference: str) -> Json:
        """Say that the fiat is sent, and leave a signed dispute with the watchtower."""
        self.checked_terms(order)
        body = {"reference": reference, "dispute_signature": self.sign(self.dispute_of(order))}
        paid: Json = self.post(f"/orders/{order['id']}/paid", body)
        return paid

    def open_dispute(self, order: Json, reason: str) -> Json:
        self.checked_terms(order)
        body = {"reason": reason, "signature": self.sign(self.dispute_of(order))}
        opened: Json = self.post(f"/orders/{order['id']}/dispute", body)
        return opened

    def dispute_of(self, order: Json) -> SignableMessage:
        return messages.dispute(self.domain, bytes.fromhex(order["id"][2:]))

    def sign_settlement(
        self, order: Json, to_buyer_units: int, valid_until: int | None = None
    ) -> Json:
        """Sign a settlement of an order: this gives the rest to the seller, for good."""
        terms = self.checked_terms(order)
        if not 0 <= to_buyer_units <= terms.amount_units:
            raise TermsError(f"to_buyer_units must be 0 to {terms.amount_units}")
        until = valid_until or self.chain_time() + VALIDITY_SECONDS
        order_id = bytes.fromhex(order["id"][2:])
        message = messages.settlement(self.domain, order_id, to_buyer_units, until)
        body = {
            "to_buyer_units": str(to_buyer_units),
            "valid_until": until,
            "signature": self.sign(message),
        }
        signed: Json = self.post(f"/orders/{order['id']}/settlements", body)
        return signed

    def release(self, order: Json) -> Json:
        """All to the buyer: what a seller signs after the fiat has arrived."""
        return self.sign_settlement(order, self.checked_terms(order).amount_units)

    def refund(self, order: Json) -> Json:
        """All to the seller: what a buyer signs to give an order up."""
        return self.sign_settlement(order, 0)

    def checked_terms(self, order: Json) -> Terms:
        """The order's terms, if its id and vault follow from them and they are safe to sign.

        Raises TermsError naming the fault.
        """
        terms = Terms.from_dict(order["terms"])
        order_id = terms.order_id(self.domain)
        limits = self.limits
        horizon = (
            terms.pay_by
            - order["created_at"]
            + terms.refund_window_seconds
            + terms.ruling_window_seconds
            + terms.final_window_seconds
        )
        fault = terms.fault()
        checks = (
            (fault is not None, f"the terms are unusable: {fault}"),
            ("0x" + order_id.hex() != order["id"], "the order's id does not follow from the terms"),
            (
                vault_address(self.domain, order_id) != order["escrow"]["vault"],
                "the vault's address does not follow from the terms",
            ),
            (terms.role_of(self.address) is None, "this wallet has no role in the order"),
            (str(terms.amount_units) != order["amount_units"], "the amounts differ"),
            (
                terms.refund_window_seconds < limits.min_refund_window_seconds,
                f"the refund window is under {limits.min_refund_window_seconds} seconds",
            ),
            (
                terms.ruling_window_seconds < limits.min_ruling_window_seconds,
                f"the ruling window is under {limits.min_ruling_window_seconds} seconds",
            ),
            (
                horizon > limits.max_horizon_seconds,
                f"the order may take longer than {limits.max_horizon_seconds} seconds",
            ),
        )
        reason = next((text for bad, text in checks if bad), None)
        if reason is not None:
            raise TermsError(f"refused to sign: {reason}")
        return terms

    def role_in(self, order: Json) -> Role | None:
        return Terms.from_dict(order["terms"]).role_of(self.address)
