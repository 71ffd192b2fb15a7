"""What the orders' routes take and give."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from coordinator.api.fields import Fiat, Price, RowId, Signature, Text, Units, Whole
from coordinator.domain.ads import Side
from coordinator.domain.escrows import Condition


class OrderIn(BaseModel):
    """`side` is the taker's. Give `ad_id` to take that ad, or leave it out for the best one."""

    side: Side
    fiat: Fiat
    payment_method: Text = Field(max_length=40, examples=["sepa"])
    amount_units: Units | None = None
    fiat_amount_minor: Units | None = None
    worst_price: Price | None = None
    ad_id: Annotated[RowId, Field(strict=True)] | None = None


class TermsSignatureIn(BaseModel):
    """EIP-712 signature of `terms` (type Order in the escrow's domain)."""

    signature: Signature


class PaidIn(BaseModel):
    """`dispute_signature` is the buyer's of Dispute(orderId), kept for the watchtower."""

    reference: Text = Field(min_length=1, max_length=200)
    dispute_signature: Signature


class SettlementIn(BaseModel):
    """A signature of Settlement(orderId, toBuyer, validUntil) by one of the order's roles."""

    to_buyer_units: Units
    valid_until: Whole = Field(ge=0, le=2**53)
    signature: Signature


class DisputeIn(BaseModel):
    """A trader's signature of Dispute(orderId)."""

    signature: Signature
    reason: Text = Field(min_length=1, max_length=500)


class EscrowOut(BaseModel):
    """The vault. `seen` can still vanish in a reorg, `final` cannot."""

    vault: str
    condition: Condition
    seen_units: Units
    final_units: Units
    wrong_token: bool
    refund_requested_at: int
    disputed_at: int
    settled_tx: str


class SettlementOut(BaseModel):
    """A settlement that roles have signed; `signatures` by role name."""

    id: int
    to_buyer_units: Units
    valid_until: int
    status: str
    refusal: str | None
    signatures: dict[str, str]


class TransactionOut(BaseModel):
    """A transaction of the coordinator's for this order."""

    key: str
    status: str
    reason: str | None
    tx_hash: str | None
    gas_used: int | None


class OrderSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    status: str
    version: int
    ad_id: int
    seller: str
    buyer: str
    arbitrator: str
    amount_units: Units
    fiat: str
    fiat_amount_minor: Units
    price: Decimal
    payment_method: str
    created_at: int


class OrderOut(OrderSummary):
    terms: dict[str, Any]
    terms_signed_by: list[str]
    instructions: str
    payment_reference: str | None
    fund_by: int
    pay_by: int
    escrow: EscrowOut
    settlements: list[SettlementOut]
    transactions: list[TransactionOut]


class LogEntryOut(BaseModel):
    """`hash` is SHA-256 over the other members, so the entries form a chain."""

    model_config = ConfigDict(from_attributes=True)

    order_id: str
    seq: int
    at: int
    actor: str
    event: str
    from_status: str
    to_status: str
    reason: str
    data: dict[str, Any]
    prev_hash: str
    hash: str
