"""What a client must know before it trades, and whether the service is up."""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text

from coordinator.api.context import Here
from coordinator.db.chain import Cursor
from coordinator.db.session import transaction

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


class HealthOut(BaseModel):
    """`block` is the newest block read, 0 before the first; `final_block` cannot vanish."""

    database: str
    block: int
    block_time: int
    final_block: int
    halted: str | None


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


@router.get("/health")
def read_health(here: Here) -> HealthOut:
    """Whether the database answers, and how far the chain was read."""
    with transaction(here.engine) as session:
        session.connection().execute(text("select 1"))
        cursor = session.get(Cursor, here.platform.domain.chain_id)
    if cursor is None:
        return HealthOut(database="up", block=0, block_time=0, final_block=0, halted=None)
    return HealthOut(
        database="up",
        block=cursor.number,
        block_time=cursor.time,
        final_block=cursor.final_number,
        halted=cursor.halted,
    )
