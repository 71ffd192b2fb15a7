"""What a coordinator says of itself once, so that it cannot say something else later. No I/O."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from eth_utils.address import is_checksum_address

from otc_sdk.errors import TermsError
from otc_sdk.terms import BPS, Terms

# Members that every order's terms repeat, and those that only new orders must: a trader who is in
# an order already gives it up or releases it under the windows that were signed.
PARTIES = ("token", "coordinator", "arbitrator", "fee_recipient", "default_buyer_bps")
WINDOWS = ("refund_window_seconds", "ruling_window_seconds", "final_window_seconds")


@dataclass(frozen=True)
class Platform:
    """A coordinator's chain, contracts, parties, fee (basis points) and windows (seconds)."""

    chain_id: int
    escrow: str
    token: str
    token_symbol: str
    token_decimals: int
    coordinator: str
    arbitrator: str
    fee_recipient: str
    fee_bps: int
    default_buyer_bps: int
    refund_window_seconds: int
    ruling_window_seconds: int
    final_window_seconds: int

    @classmethod
    def read(cls, told: Any) -> "Platform":
        """From the API's `/platform`, or a file; other members are ignored. Raises TermsError."""
        if not isinstance(told, dict):
            raise TermsError("not a platform: no JSON object")
        values: dict[str, Any] = {f.name: told.get(f.name) for f in fields(cls)}
        wrong = [name for name, value in values.items() if not is_well_formed(name, value)]
        if wrong:
            raise TermsError(f"not a platform: {', '.join(wrong)} missing or malformed")
        return cls(**values)

    def changes(self, told: "Platform") -> list[str]:
        """What is told otherwise now, in words."""
        now = asdict(told)
        return [f"{k} was {v}, is {now[k]}" for k, v in asdict(self).items() if v != now[k]]

    def fault(self, terms: Terms, is_new: bool) -> str | None:
        """How terms differ from what the platform says of itself; None if they do not."""
        for name in PARTIES + WINDOWS if is_new else PARTIES:
            if getattr(terms, name) != getattr(self, name):
                return f"the terms' {name} is {getattr(terms, name)}, not {getattr(self, name)}"
        over = terms.fee_units * BPS > terms.amount_units * self.fee_bps
        return "the fee is over the platform's rate" if over else None


def is_well_formed(name: str, value: Any) -> bool:
    kind = Platform.__annotations__[name]
    if kind is int:
        return type(value) is int and value >= 0
    if name == "token_symbol":
        return isinstance(value, str) and value.isprintable()
    return isinstance(value, str) and is_checksum_address(value)


def load(text: str) -> list[Platform]:
    """One platform's JSON, or a list: as it is, then as it was. Raises TermsError."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise TermsError(f"not the JSON of a platform: {error}") from error
    found = [Platform.read(one) for one in (content if isinstance(content, list) else [content])]
    if not found:
        raise TermsError("not a platform: the list is empty")
    return found


def require_known(known: Sequence[Platform], terms: Terms, is_new: bool) -> None:
    """Raise TermsError unless the terms are those of a known platform, the newest one's if new.

    `known` is the platform as it is, then as it was: it may change while orders are open.
    """
    if not known:
        raise TermsError("refused: no platform is known: `otc platform accept`, or pin one")
    faults = [platform.fault(terms, is_new) for platform in (known[:1] if is_new else known)]
    if None not in faults:
        raise TermsError(f"refused: {faults[0]}")
