"""The co-signer's own small API, for its own process."""

import hmac
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from coordinator.api import errors
from coordinator.api.body_limit import BodyLimit
from coordinator.api.fields import Signature, Units, Whole
from coordinator.api.refusal_log import RefusalLog
from coordinator.api.request_rate import RequestRate
from coordinator.domain.errors import Invalid, Refused, Unauthorized
from coordinator.services.ports import CosignRequest

COSIGN = "/cosign"


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
    turned_away = RefusalLog()

    @app.exception_handler(RequestValidationError)
    def on_malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        turned_away.note(errors.malformed(error))
        return errors.on_malformed(request, error)

    @app.exception_handler(HTTPException)
    def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if request.url.path == COSIGN:
            turned_away.note(Invalid("malformed", error.detail))
        return errors.on_http(request, error)

    def require_caller(authorization: str) -> None:
        """Raises Unauthorized for a stranger, Later for one request too many."""
        try:
            if not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
                raise Unauthorized("wrong_token", "the co-signer does not know this caller")
            rate.require()
        except Refused as refusal:
            turned_away.note(refusal)
            raise

    @app.get("/health")
    def read_health() -> HealthOut:
        return HealthOut(address=address, stopped=stopped())

    @app.post(COSIGN)
    def sign(body: CosignIn, authorization: Annotated[str, Header()] = "") -> CosignOut:
        require_caller(authorization)
        return CosignOut(signature=cosign(CosignRequest(**body.model_dump())))

    return app
