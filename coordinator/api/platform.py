"""What a client must know before it trades."""

from fastapi import APIRouter
from pydantic import BaseModel

from coordinator.api.context import Here

router = APIRouter(tags=["platform"])


class PlatformOut(BaseModel):
    """Clients check these against the terms that they are asked to sign."""

    chain_id: int
    escrow: str
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
    payment_methods: list[str]


@router.get("/platform")
def read_platform(here: Here) -> PlatformOut:
    """Chain, contracts, fee and windows of this coordinator."""
    platform = here.platform
    values = {k: v for k, v in vars(platform).items() if k not in ("domain", "payment_methods")}
    return PlatformOut(
        chain_id=platform.domain.chain_id,
        escrow=platform.domain.escrow,
        payment_methods=sorted(platform.payment_methods),
        **values,
    )
