"""A coordinator's API as anyone may read it: no account, nothing signed."""

from types import TracebackType
from typing import Any, Self

import httpx

from otc_sdk.errors import ApiError
from otc_sdk.terms import EscrowDomain

TIMEOUT_SECONDS = 15
Json = dict[str, Any]


class Api:
    """Raises ApiError if the coordinator refuses, does not answer, or is none."""

    def __init__(self, base_url: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False)
        try:
            self.platform: Json = self.get("/platform")
            self.domain = EscrowDomain(self.platform["chain_id"], self.platform["escrow"])
        except (KeyError, TypeError) as error:
            self.http.close()
            raise ApiError(200, "no_coordinator", f"{base_url} is no coordinator") from error
        except ApiError:
            self.http.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        return self.request("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Json | None = None) -> Any:
        return self.request("POST", path, json=body or {})

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        try:
            answer = self.http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise ApiError(0, "unreachable", f"{self.http.base_url} fails: {error}") from error
        try:
            content = answer.json()
        except ValueError:
            content = None
        if answer.is_success and content is not None:
            return content
        try:
            raise ApiError(answer.status_code, content["code"], content["message"])
        except (KeyError, TypeError):
            words = f"{self.http.base_url} answers with status {answer.status_code}, not as an API"
            raise ApiError(answer.status_code, "unknown", words) from None

    def chain_time(self) -> int:
        """Unix seconds of the newest block that the coordinator has read."""
        return int(self.get("/health")["block_time"])

    def ads(self, side: str, fiat: str, payment_method: str | None = None) -> list[Json]:
        """Open ads of makers on that side, best price for the taker first."""
        found: list[Json] = self.get("/ads", side=side, fiat=fiat, payment_method=payment_method)
        return found
