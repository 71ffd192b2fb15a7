"""One JSON-RPC provider over several nodes: the next one answers for one that does not."""

from collections.abc import Sequence
from typing import Any

from requests.exceptions import RequestException
from web3 import HTTPProvider
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

TIMEOUT_SECONDS = 10


def open_provider(rpc_url: str) -> HTTPProvider:
    """A provider that does not retry by itself: the workers' loops do, and say so."""
    return HTTPProvider(
        rpc_url, request_kwargs={"timeout": TIMEOUT_SECONDS}, exception_retry_configuration=None
    )


class Failover(JSONBaseProvider):
    """Asks the node that answered last, then the others. What a node refuses, no other is asked."""

    def __init__(self, providers: Sequence[HTTPProvider]) -> None:
        super().__init__()
        self.providers = list(providers)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        failure: Exception | None = None
        for provider in list(self.providers):
            try:
                answer = provider.make_request(method, params)
            except (RequestException, OSError) as error:
                failure = error
                continue
            if provider is not self.providers[0]:
                self.providers.sort(key=lambda one: one is not provider)
            return answer
        assert failure is not None  # noqa: S101 - there is at least one node
        raise failure
