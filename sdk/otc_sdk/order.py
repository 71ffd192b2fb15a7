"""One order as a coordinator or a file tells it, believed only where it can be recomputed."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.messages import SignableMessage

from otc_sdk import messages
from otc_sdk.errors import TermsError
from otc_sdk.policy import State
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address

Json = dict[str, Any]
# Saved with an order, so that a machine without a network can sign it.
SAVED = ("chain_id", "escrow", "token_symbol", "token_decimals")
MAX_DECIMALS = 36
# How long a settlement stays valid unless the caller says otherwise.
VALIDITY_SECONDS = 7 * 86_400
# The chain's clock, as a coordinator or a file tells it, may be this much ahead of ours.
MAX_CLOCK_AHEAD_SECONDS = 60 * 86_400


@dataclass(frozen=True)
class Limits:
    """Windows that a trader's client accepts, in seconds.

    A refund window shorter than `min_refund_window_seconds` would leave a buyer no time to open a
    dispute; too short a ruling or final window would leave the judges none before anybody may send
    the default split; horizons beyond `max_horizon_seconds` would lock the seller's tokens for too
    long.
    """

    min_refund_window_seconds: int = 600
    min_ruling_window_seconds: int = 3600
    min_final_window_seconds: int = 3600
    max_horizon_seconds: int = 120 * 86_400


@dataclass(frozen=True)
class Order:
    """Terms whose hash is the order's id and whose vault is the right one.

    `facts` is all that was told: status, settlements, instructions. Those are the coordinator's
    word; parties, amount, fee and windows come from `terms`.
    """

    domain: EscrowDomain
    terms: Terms
    symbol: str
    decimals: int
    facts: Json

    @classmethod
    def read(cls, facts: Json, platform: Mapping[str, Any]) -> "Order":
        """An order of the coordinator that calls itself `platform`.

        Raises TermsError if anything is missing, or id, vault or amount do not follow.
        """
        try:
            domain = EscrowDomain(int(platform["chain_id"]), str(platform["escrow"]))
            terms = Terms.from_dict(facts["terms"])
            symbol, decimals = str(platform["token_symbol"]), int(platform["token_decimals"])
            order = cls(domain, terms, symbol, decimals, facts)
            require_consistent(order)
            for settlement in facts.get("settlements", []):
                require_readable(settlement)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TermsError(f"not an order: {type(error).__name__} {error}") from error
        return order

    @classmethod
    def load(cls, text: str) -> "Order":
        """An order that was saved by `saved`. Raises TermsError."""
        try:
            facts = json.loads(text)
        except ValueError as error:
            raise TermsError(f"not the JSON of an order: {error}") from error
        if not isinstance(facts, dict) or not isinstance(facts.get("platform"), dict):
            raise TermsError("not a saved order: it lacks `platform`")
        return cls.read(facts, facts["platform"])

    def saved(self) -> Json:
        """JSON that holds all that signing and settling need, without any server."""
        platform = (self.domain.chain_id, self.domain.escrow, self.symbol, self.decimals)
        return {**self.facts, "platform": dict(zip(SAVED, platform, strict=True))}

    @property
    def id(self) -> str:
        return "0x" + self.id_bytes.hex()

    @property
    def id_bytes(self) -> bytes:
        return self.terms.order_id(self.domain)

    @property
    def vault(self) -> str:
        return vault_address(self.domain, self.id_bytes)

    @property
    def state(self) -> State:
        """Refund request and dispute, as the coordinator saw them."""
        escrow = self.facts["escrow"]
        return State(int(escrow["refund_requested_at"]), int(escrow["disputed_at"]))

    @property
    def chain_time(self) -> int:
        """Unix seconds of the chain when the order was saved; 0 if unknown. Raises TermsError."""
        told = self.facts.get("chain_time", 0)
        if type(told) is not int:
            raise TermsError("not an order: its chain_time is no number")
        return told

    def settlement(self, settlement_id: int) -> Json:
        """A settlement that somebody signed before. Raises TermsError if there is none."""
        known = self.facts.get("settlements", [])
        found: Json | None = next((s for s in known if s["id"] == settlement_id), None)
        if found is None:
            ids = ", ".join(str(s["id"]) for s in known) or "none"
            raise TermsError(f"the order has no settlement {settlement_id}; it has {ids}")
        return found

    def role_of(self, address: str) -> Role:
        """The role of a wallet. Raises TermsError if it has none."""
        role = self.terms.role_of(address)
        if role is None:
            raise TermsError(f"{address} has no role in order {self.id}")
        return role

    def settlement_message(self, to_buyer_units: int, valid_until: int) -> SignableMessage:
        return messages.settlement(self.domain, self.id_bytes, to_buyer_units, valid_until)

    def require_safe(self, limits: Limits) -> None:
        """Raise TermsError unless the terms can be settled, within the windows of `limits`."""
        terms, fault = self.terms, self.terms.fault()
        horizon = (
            terms.pay_by
            - min(int(self.facts["created_at"]), int(time.time()))  # our clock bounds their word
            + terms.refund_window_seconds
            + terms.ruling_window_seconds
            + terms.final_window_seconds
        )
        refuse_first(
            (fault is not None, f"the terms are unusable: {fault}"),
            (
                terms.refund_window_seconds < limits.min_refund_window_seconds,
                f"the refund window is under {limits.min_refund_window_seconds} seconds",
            ),
            (
                terms.ruling_window_seconds < limits.min_ruling_window_seconds,
                f"the ruling window is under {limits.min_ruling_window_seconds} seconds",
            ),
            (
                terms.final_window_seconds < limits.min_final_window_seconds,
                f"the final window is under {limits.min_final_window_seconds} seconds",
            ),
            (
                horizon > limits.max_horizon_seconds,
                f"the order may take longer than {limits.max_horizon_seconds} seconds",
            ),
        )


def require_soon(valid_until: int) -> None:
    """Raise TermsError for a settlement that would stay valid (Unix seconds) for too long."""
    ahead = valid_until - int(time.time())
    if ahead > MAX_CLOCK_AHEAD_SECONDS + VALIDITY_SECONDS:
        days = (MAX_CLOCK_AHEAD_SECONDS + VALIDITY_SECONDS) // 86_400
        raise TermsError(
            f"refused to sign a settlement that is valid until {valid_until}: "
            f"that is {ahead // 86_400:,} days ahead, over {days}"
        )


def require_consistent(order: Order) -> None:
    """Raise TermsError unless what is told agrees with what follows from the terms."""
    facts, terms = order.facts, order.terms
    told = [facts[name] for name in ("seller", "buyer", "arbitrator")]
    refuse_first(
        (order.id != facts["id"], "the order's id does not follow from the terms"),
        (
            order.vault != facts["escrow"]["vault"],
            "the vault's address does not follow from the terms",
        ),
        (told != [terms.seller, terms.buyer, terms.arbitrator], "the parties differ"),
        (str(terms.amount_units) != facts["amount_units"], "the amounts differ"),
        (not 0 <= order.decimals <= MAX_DECIMALS, "the token's decimals are absurd"),
    )


def require_readable(settlement: Json) -> None:
    """Raise KeyError, TypeError or ValueError unless it has what a settlement has."""
    numbers = settlement["id"], settlement["valid_until"]
    if any(type(number) is not int for number in numbers):
        raise TypeError("of a settlement's id or valid_until")
    int(settlement["to_buyer_units"])
    for name in settlement["signatures"]:
        Role[name.upper()]


def refuse_first(*checks: tuple[bool, str]) -> None:
    reason = next((text for bad, text in checks if bad), None)
    if reason is not None:
        raise TermsError(f"refused: {reason}")
