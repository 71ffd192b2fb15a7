"""No more requests in a minute than were agreed, whoever asks."""

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from coordinator.domain.errors import Later


class RequestRate:
    """Counted in this process."""

    def __init__(self, most: int) -> None:
        self.item = RateLimitItemPerMinute(most)
        self.limiter = FixedWindowRateLimiter(MemoryStorage())

    def require(self) -> None:
        """Count one request. Raises Later for one too many."""
        if not self.limiter.hit(self.item):
            most = self.item.amount
            raise Later("too_many_requests", f"more than {most} requests in a minute")
