"""Whether this process lives, and whether it should be sent traffic."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import text

from coordinator.api.context import Here
from coordinator.api.errors import UNAVAILABLE, refusal
from coordinator.db.chain import Cursor
from coordinator.db.migrate import schema_fault
from coordinator.db.session import transaction
from coordinator.domain.health import chain_faults, lag_seconds

router = APIRouter(tags=["health"])


class HealthOut(BaseModel):
    """`block` is the newest block read, 0 before the first; `final_block` cannot vanish."""

    database: str
    block: int
    block_time: int
    final_block: int
    halted: str | None


class ReadyOut(BaseModel):
    ready: bool
    block: int
    lag_seconds: int


@router.get("/health")
def read_health(here: Here) -> HealthOut:
    """Liveness: whether the database answers, and how far the chain was read."""
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


@router.get("/ready", response_model=ReadyOut, responses={UNAVAILABLE: {}})
def read_ready(here: Here) -> ReadyOut | JSONResponse:
    """Readiness: the schema is this release's, the chain is read up to now and not halted."""
    chain_id, now = here.platform.domain.chain_id, here.now()
    with transaction(here.engine) as session:
        schema = schema_fault(session.connection())
        if schema is not None:
            return refusal(UNAVAILABLE, "not_ready", schema)
        cursor = session.get(Cursor, chain_id)
    time, halted = (cursor.time, cursor.halted) if cursor else (None, None)
    faults = chain_faults(chain_id, time, halted, now, here.max_lag_seconds)
    if faults or cursor is None:
        return refusal(UNAVAILABLE, "not_ready", "; ".join(fault.message for fault in faults))
    return ReadyOut(ready=True, block=cursor.number, lag_seconds=lag_seconds(cursor.time, now))
