"""A node that says one thing.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Write = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def writing(write: Write) -> Iterator[str]:
    """The URL of a server that writes each answer, after its status, as it likes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            write(self, body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        # Looking often, so that its end is not waited for.
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def whole(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(answer_to: Callable[[bytes], bytes]) -> Iterator[str]:
    """The URL of a server that answers each request's body."""
    with writing(lambda handler, body: whole(handler, answer_to(body))) as url:
        yield url


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that gives every request the same answer, whatever its id."""
    with serving(lambda _: body) as url:
        yield url


@contextmanager
def saying(answer: dict[str, Any], chain_id: int = 1) -> Iterator[str]:
    """A node with one answer (`result` or `error`) to all but the question for its chain's id."""

    def answer_to(request: bytes) -> bytes:
        asked = json.loads(request)
        found = {"result": hex(chain_id)} if asked["method"] == "eth_chainId" else answer
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], **found}).encode()

    with serving(answer_to) as url:
        yield url


Lie = Callable[[dict[str, Any]], dict[str, Any]]


@contextmanager
def lying(honest: str, lies: dict[str, Lie]) -> Iterator[str]:
    """A node that passes on what another says, but changes its answers to these methods."""

    def answer_to(request: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        said = httpx.post(honest, content=request, headers=headers, trust_env=False).json()
        asked = json.loads(request)
        lie = lies.get(asked["method"]) if isinstance(asked, dict) else None
        return json.dumps(said if lie is None else lie(said)).encode()

    with serving(answer_to) as url:
        yield url


def result(value: Any) -> Lie:
    """A lie that is the same whatever the truth."""
    return lambda said: {"jsonrpc": "2.0", "id": said["id"], "result": value}


def refusal(error: dict[str, Any]) -> Lie:
    return lambda said: {"jsonrpc": "2.0", "id": said["id"], "error": error}
