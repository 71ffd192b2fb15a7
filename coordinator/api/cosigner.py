"""The co-signer's own small API, for its own process."""

import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Header
from pydantic import BaseModel, Field

from coordinator.api import errors
from coordinator.api.body_limit import BodyLimit
from coordinator.api.fields import Signature, Units, Whole
from coordinator.api.request_rate import RequestRate
from coordinator.domain.errors import Unauthorized
from coordinator.services.ports import CosignRequest


class CosignIn(BaseModel):
    terms: dict[str, Any]
    to_buyer_units: Units
    valid_until: Whole = Field(ge=0, le=2**53)
    signature: Signature


class CosignOut(BaseModel):
    signature: str


class HealthOut(BaseModel):
    """`stopped` says why nothing is signed; null if it is."""

    address: str
    stopped: str | None


def create_app(
    cosign: Callable[[CosignRequest], str],
    stopped: Callable[[], str | None],
    address: str,
    token: str,
    rate: RequestRate,
) -> FastAPI:
    """`cosign` signs or raises Refused; `token` is what the coordinator must show."""
    app = FastAPI(title="Co-signer", docs_url=None, redoc_url=None, openapi_url=None)
    errors.install(app)
    app.add_middleware(BodyLimit)

    @app.get("/health")
    def read_health() -> HealthOut:
        return HealthOut(address=address, stopped=stopped())

    @app.post("/cosign")
    def sign(body: CosignIn, authorization: Annotated[str, Header()] = "") -> CosignOut:
        if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise Unauthorized("wrong_token", "the co-signer does not know this caller")
        rate.require()
        return CosignOut(signature=cosign(CosignRequest(**body.model_dump())))

    return app
