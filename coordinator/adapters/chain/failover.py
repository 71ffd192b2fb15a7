"""One JSON-RPC provider over several nodes: the next one answers for one that does not."""

import json
from collections.abc import Sequence
from typing import Any

from requests.exceptions import RequestException
from web3 import HTTPProvider
from web3.exceptions import BadResponseFormat, Web3Exception
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

TIMEOUT_SECONDS = 10
# One node's nonsense must not keep a transaction from the others.
FAILURES = (RequestException, OSError, Web3Exception, ValueError, TypeError, AttributeError)
SEND = RPCEndpoint("eth_sendRawTransaction")


class OwnAnswers(HTTPProvider):
    """Takes no answer to another request: a proxy between may mix them up."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = self.encode_rpc_request(method, params)
        answer = self.decode_rpc_response(self._make_request(method, request))
        asked = json.loads(request)["id"]
        if answer.get("id") != asked:
            raise BadResponseFormat(f"an answer to request {answer.get('id')}, not to {asked}")
        return answer


def open_provider(rpc_url: str) -> OwnAnswers:
    """A provider that does not retry by itself: the workers' loops do, and say so."""
    return OwnAnswers(
        rpc_url, request_kwargs={"timeout": TIMEOUT_SECONDS}, exception_retry_configuration=None
    )


class Failover(JSONBaseProvider):
    """Asks the node that answered last, then the others. What a node refuses, no other is asked.

    A transaction goes to all: one that says to have taken it may drop it.
    """

    def __init__(self, providers: Sequence[HTTPProvider]) -> None:
        super().__init__()
        self.providers = list(providers)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if method == SEND and len(self.providers) > 1:
            return self.tell_all(params)
        *first, last = self.providers
        for provider in first:
            try:
                return self.prefer(provider, provider.make_request(method, params))
            except (RequestException, OSError):
                continue
        return self.prefer(last, last.make_request(method, params))

    def tell_all(self, params: Any) -> RPCResponse:
        """The first answer that is no error, else the first; raises where none answers."""
        answers: list[RPCResponse] = []
        failures: list[Exception] = []
        for provider in self.providers:
            try:
                answers.append(provider.make_request(SEND, params))
            except FAILURES as error:
                failures.append(error)
        if not answers:
            raise failures[0]
        return next((answer for answer in answers if "error" not in answer), answers[0])

    def prefer(self, provider: HTTPProvider, answer: RPCResponse) -> RPCResponse:
        """Who has answered is asked first from now on."""
        if provider is not self.providers[0]:
            self.providers.sort(key=lambda one: one is not provider)
        return answer
