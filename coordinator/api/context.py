"""What every route works with, and who is calling."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from otc_sdk.messages import Verify1271
from sqlalchemy import Engine

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


def get_context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here = Annotated[Context, Depends(get_context)]
bearer = HTTPBearer(auto_error=False, description="Token of POST /auth/sign-in")


def get_caller(
    here: Here, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> str:
    """Wallet address of the caller. Raises Unauthorized."""
    if credentials is None:
        raise Unauthorized("not_signed_in", "sign in first: send the bearer token")
    with transaction(here.engine) as session:
        return signed_in(session, credentials.credentials, here.now())


Caller = Annotated[str, Depends(get_caller)]
