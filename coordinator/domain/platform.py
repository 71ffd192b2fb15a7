"""What the operator has set: one chain, one escrow, one token, the fee and the windows."""

from dataclasses import dataclass

from otc_sdk.terms import EscrowDomain


@dataclass(frozen=True)
class Platform:
    """`fund_by_seconds` is how long a seller has to fund; all times in seconds."""

    domain: EscrowDomain
    token: str
    token_symbol: str
    token_decimals: int
    coordinator: str
    arbitrator: str
    fee_bps: int
    fee_recipient: str
    fund_by_seconds: int
    refund_window_seconds: int
    ruling_window_seconds: int
    final_window_seconds: int
    default_buyer_bps: int
    payment_methods: frozenset[str]
