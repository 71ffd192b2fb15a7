"""A line to a node as a web3 provider in the same process: no sockets, the same exceptions."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from requests.exceptions import ChunkedEncodingError, HTTPError, ReadTimeout
from web3 import Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from coordinator.adapters.chain.failover import Failover, require_own
from tests.simulation.faults import Line


class InProcess(JSONBaseProvider):
    """Raises what an HTTPProvider would. `boundary` is called before and after each request."""

    def __init__(self, line: Line, boundary: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.line, self.boundary = line, boundary

    def make_batch_request(self, requests: Any) -> Any:
        return [self.make_request(method, params) for method, params in requests]

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        request = json.loads(self.encode_rpc_request(method, params))
        self.boundary()
        reply = self.line.exchange(request)
        self.boundary()
        if reply.status is None:
            raise ReadTimeout("no answer")
        if reply.status != 200:
            raise HTTPError(f"{reply.status} of the node")
        if reply.cut or reply.body is None:
            raise ChunkedEncodingError("the answer ended early")
        answer: Any = reply.body
        require_own(answer, request["id"])
        return answer


class Inline(Executor):
    """Does at once what it is given: the order of things comes from the seed alone."""

    def submit(self, act: Any, /, *arguments: Any, **named: Any) -> Any:
        future: Future[Any] = Future()
        try:
            future.set_result(act(*arguments, **named))
        except Exception as failure:  # noqa: BLE001 - whoever asks for the result gets it
            future.set_exception(failure)
        return future


def web3_over(
    *lines: Line,
    boundary: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
) -> Web3:
    """A client as coordinator.adapters.chain.node.open_web3 makes it."""
    providers: Any = [InProcess(line, boundary) for line in lines]
    w3 = Web3(Failover(providers, clock=clock))
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return w3
