"""How often one address on the network, and one signed-in wallet, may ask; counted per process."""

import math
import time
from enum import StrEnum

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

TOO_MANY = 429


class RouteClass(StrEnum):
    """What is counted together."""

    REQUESTS = "requests"
    SIGN_INS = "sign_ins"
    READS = "reads"
    WRITES = "writes"
    CREATIONS = "creations"


# A minute. The first two are of one network address, the others of one wallet.
PER_MINUTE = {
    RouteClass.REQUESTS: 12_000,
    RouteClass.SIGN_INS: 600,
    RouteClass.READS: 3_000,
    RouteClass.WRITES: 300,
    RouteClass.CREATIONS: 60,
}
# Whoever watches over the process is not counted.
EXEMPT = ("/health", "/ready", "/metrics")
CREATING = ("/ads", "/orders")


class TooManyRequests(Exception):
    """`retry_after_seconds` is when the minute ends."""

    def __init__(self, what: RouteClass, most: int, retry_after_seconds: int) -> None:
        super().__init__(f"more than {most} {what} in a minute; try again later")
        self.retry_after_seconds = retry_after_seconds


class RateLimits:
    """`percent` scales every limit; 0 turns them off."""

    def __init__(self, percent: int = 100) -> None:
        self.limiter = FixedWindowRateLimiter(MemoryStorage())
        self.items: dict[RouteClass, RateLimitItem] = {}
        if percent > 0:
            for what, most in PER_MINUTE.items():
                self.items[what] = RateLimitItemPerMinute(max(1, most * percent // 100))

    def require(self, what: RouteClass, who: str) -> None:
        """Count one. Raises TooManyRequests."""
        item = self.items.get(what)
        if item is None or self.limiter.hit(item, what, who):
            return
        ends_at = self.limiter.get_window_stats(item, what, who).reset_time
        raise TooManyRequests(what, item.amount, max(1, math.ceil(ends_at - time.time())))


def class_of(method: str, path: str) -> RouteClass:
    """Of a signed-in wallet's request."""
    if method in ("GET", "HEAD"):
        return RouteClass.READS
    return RouteClass.CREATIONS if path.rstrip("/") in CREATING else RouteClass.WRITES


def answer(refused: TooManyRequests) -> JSONResponse:
    return JSONResponse(
        {"code": "too_many_requests", "message": str(refused)},
        status_code=TOO_MANY,
        headers={"Retry-After": str(refused.retry_after_seconds)},
    )


class RateLimitByAddress:
    """Refuses a network address before anything is read or looked up for it."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in EXEMPT:
            request = Request(scope)
            who = request.client.host if request.client else "unknown"
            try:
                self.limits.require(RouteClass.REQUESTS, who)
                if request.method == "POST" and scope["path"].startswith("/auth/"):
                    self.limits.require(RouteClass.SIGN_INS, who)
            except TooManyRequests as refused:
                await answer(refused)(scope, receive, send)
                return
        await self.app(scope, receive, send)
