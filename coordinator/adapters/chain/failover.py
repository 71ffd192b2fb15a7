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
ESTIMATE = RPCEndpoint("eth_estimateGas")


class OwnAnswers(HTTPProvider):
    """Takes no answer to another request: a proxy between may mix them up."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = self.encode_rpc_request(method, params)
        answer = self.decode_rpc_response(self._make_request(method, request))
        require_own(answer, json.loads(request)["id"])
        return answer


def require_own(answer: RPCResponse, asked: int) -> None:
    """Raises BadResponseFormat."""
    if answer.get("id") != asked:
        raise BadResponseFormat(f"an answer to request {answer.get('id')}, not to {asked}")


def open_provider(rpc_url: str) -> OwnAnswers:
    """A provider that does not retry by itself: the workers' loops do, and say so."""
    return OwnAnswers(
        rpc_url, request_kwargs={"timeout": TIMEOUT_SECONDS}, exception_retry_configuration=None
    )


class Failover(JSONBaseProvider):
    """Asks the node that answered last, then the others. What a node refuses, no other is asked.

    A transaction goes to all: one that says to have taken it may drop it. An estimate that is
    refused is asked of the others: a node behind, or one that lies, must not hold a dispute back.
    """

    def __init__(self, providers: Sequence[HTTPProvider]) -> None:
        super().__init__()
        self.providers = list(providers)

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        if len(self.providers) > 1 and method in (SEND, ESTIMATE):
            return self.first_good(method, params, stop=method == ESTIMATE)
        *first, last = self.providers
        for provider in first:
            try:
                return self.prefer(provider, provider.make_request(method, params))
            except FAILURES:
                continue
        return self.prefer(last, last.make_request(method, params))

    def first_good(self, method: RPCEndpoint, params: Any, stop: bool) -> RPCResponse:
        """The first answer that has a result, else the first; raises where none answers.

        With `stop`, those after it are not asked.
        """
        answers: list[RPCResponse] = []
        failures: list[Exception] = []
        for provider in self.providers:
            try:
                answers.append(provider.make_request(method, params))
            except FAILURES as error:
                failures.append(error)
                continue
            if stop and has_result(answers[-1]):
                break
        if not answers:
            raise failures[0]
        return next((answer for answer in answers if has_result(answer)), answers[0])

    def prefer(self, provider: HTTPProvider, answer: RPCResponse) -> RPCResponse:
        """Who has answered is asked first from now on."""
        if provider is not self.providers[0]:
            self.providers.sort(key=lambda one: one is not provider)
        return answer


def has_result(answer: RPCResponse) -> bool:
    """A hash or a number, and neither an error nor nonsense."""
    return str(answer.get("result")).startswith("0x")
