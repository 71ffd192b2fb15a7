"""What every route works with, and who is calling."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from otc_sdk.messages import Verify1271
from sqlalchemy import Engine

from coordinator.api.rate_limits import RateLimits, class_of
from coordinator.db.session import transaction
from coordinator.domain.errors import Unauthorized
from coordinator.domain.health import MAX_LAG_SECONDS
from coordinator.domain.platform import Platform
from coordinator.services.users import signed_in


@dataclass(frozen=True)
class Context:
    engine: Engine
    platform: Platform
    verify_1271: Verify1271
    now: Callable[[], int]
    public_domain: str
    max_lag_seconds: int = MAX_LAG_SECONDS
    metrics_token: str = ""
    rate_limits: RateLimits = field(default_factory=RateLimits)


def get_context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(get_context)]
bearer = HTTPBearer(auto_error=False, description="Token of POST /auth/sign-in")


def get_caller(
    request: Request,
    here: Here,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """Wallet address of the caller. Raises Unauthorized, TooManyRequests."""
    if credentials is None:
        raise Unauthorized("not_signed_in", "sign in first: send the bearer token")
    with transaction(here.engine) as session:
        caller = signed_in(session, credentials.credentials, here.now())
    here.rate_limits.require(class_of(request.method, request.url.path), caller)
    return caller


Caller = Annotated[str, Depends(get_caller)]
