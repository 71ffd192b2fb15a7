"""One JSON-RPC provider over several nodes: the next one answers for one that does not."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from requests.exceptions import RequestException
from web3 import HTTPProvider
from web3.exceptions import BadResponseFormat, Web3Exception
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from coordinator.adapters.chain import answers
from coordinator.adapters.chain.answers import NONSENSE, LimitedAnswers
from coordinator.domain.gas import MAX_GAS, best_estimate, with_margin

REST_SECONDS = 30
# One node's nonsense must not keep a transaction from the others.
FAILURES = (RequestException, OSError, Web3Exception, *NONSENSE)
SEND = RPCEndpoint("eth_sendRawTransaction")
ESTIMATE = RPCEndpoint("eth_estimateGas")
ASKED_OF_ALL = (SEND, ESTIMATE)


class OwnAnswers(HTTPProvider):
    """Takes no answer to another request: a proxy between may mix them up; and none without end.

    It does not retry by itself: the workers' loops do, and say so.
    """

    def __init__(self, rpc_url: str) -> None:
        limits = {"timeout": answers.TIMEOUT_SECONDS, "stream": True}
        super().__init__(rpc_url, request_kwargs=limits, exception_retry_configuration=None)
        self._request_session_manager = LimitedAnswers()

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = self.encode_rpc_request(method, params)
        answer = self.decode_rpc_response(self._make_request(method, request))
        require_own(answer, json.loads(request)["id"])
        return answer


def require_own(answer: RPCResponse, asked: int) -> None:
    """Raises BadResponseFormat."""
    if answer.get("id") != asked:
        raise BadResponseFormat(f"an answer to request {answer.get('id')}, not to {asked}")


class Failover(JSONBaseProvider):
    """Asks the node that answered last, then the others, until one does not refuse.

    A transaction goes to all: one that says to have taken it may drop it. All estimate, too: a
    node behind, or one that lies, must neither hold a dispute back nor have it mined in vain.
    """

    def __init__(
        self,
        providers: Sequence[HTTPProvider],
        max_gas: int = MAX_GAS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.providers, self.max_gas, self.clock = list(providers), max_gas, clock
        # Until when (by the clock, in seconds) a node that did not answer is asked last.
        self.rests: dict[HTTPProvider, float] = {}

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """The answer of the first that does not refuse, else the first refusal.

        Raises what the first of them failed with where none answers.
        """
        said: list[RPCResponse] = []
        failures: list[Exception] = []
        for provider in self.awake_first():
            if said and self.is_resting(provider):
                break
            try:
                said.append(self.ask(provider, method, params))
            except FAILURES as error:
                failures.append(error)
                continue
            if method not in ASKED_OF_ALL and is_good(method, said[-1]):
                self.prefer(provider)
                return said[-1]
        if not said:
            raise failures[0]
        if method == ESTIMATE:
            return self.estimate_of(said)
        return next((answer for answer in said if is_good(method, answer)), said[0])

    def ask(self, provider: HTTPProvider, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One node's answer. Who does not answer at all costs its timeout only now and then."""
        try:
            return provider.make_request(method, params)
        except OSError:  # requests' are, too
            self.rests[provider] = self.clock() + REST_SECONDS
            raise

    def is_resting(self, provider: HTTPProvider) -> bool:
        return self.rests.get(provider, 0) > self.clock()

    def awake_first(self) -> list[HTTPProvider]:
        return sorted(self.providers, key=self.is_resting)

    def estimate_of(self, said: Sequence[RPCResponse]) -> RPCResponse:
        """The estimate to go by, else the first refusal.

        Raises BadResponseFormat for too much by the word of some, while the others are silent.
        """
        good = {gas_of(answer): answer for answer in said if is_good(ESTIMATE, answer)}
        refusals = [answer for answer in said if not is_good(ESTIMATE, answer)]
        if not good:
            return refusals[0]
        gas = best_estimate(list(good), self.max_gas)
        if with_margin(gas) <= self.max_gas or len(said) - len(refusals) == len(self.providers):
            return good[gas]
        if refusals:
            return refusals[0]
        raise BadResponseFormat(f"an estimate of {gas} by some nodes, while others are silent")

    def prefer(self, provider: HTTPProvider) -> None:
        """Who has answered is asked first from now on."""
        if provider is not self.providers[0]:
            self.providers.sort(key=lambda one: one is not provider)

    def turn(self) -> None:
        """Begin with the next node from now on."""
        self.providers.append(self.providers.pop(0))


def is_good(method: RPCEndpoint, answer: RPCResponse) -> bool:
    """No refusal; of a transaction or an estimate, no nonsense either."""
    if method not in ASKED_OF_ALL:
        return answer.get("error") is None
    if method == ESTIMATE and gas_of(answer) < 0:
        return False
    return str(answer.get("result")).startswith("0x")


def gas_of(answer: RPCResponse) -> int:
    """Below zero if that is no number."""
    try:
        return int(str(answer.get("result")), 16)
    except ValueError:
        return -1
