"""A node that goes on answering is a node that does not answer."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coordinator.adapters.chain import answers
from coordinator.adapters.chain.node import Node, open_web3
from coordinator.services.ports import NodeDown

ANSWER = json.dumps({"jsonrpc": "2.0", "id": 0, "result": "0x7"}).encode()
Write = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def writing(write: Write) -> Iterator[str]:
    """The URL of a server that writes each answer, after its status, as it likes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            write(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def flood(handler: BaseHTTPRequestHandler) -> None:
    handler.send_header("Content-Length", str(2**40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"[" * 2**16)
    except OSError:
        handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Always something, and before any one read takes long."""
    handler.send_header("Content-Length", str(2**40))
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        handler.close_connection = True


@pytest.mark.parametrize(("write", "fault"), [(flood, "ConnectionError"), (drip, "ReadTimeout")])
def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch, write: Write, fault: str) -> None:
    """Found: it filled the memory, or held up a worker for ever."""
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(answers, "TIMEOUT_SECONDS", 1)
    with writing(write) as url, pytest.raises(NodeDown, match=fault):
        Node(url, "finalized").chain_id()


def test_the_next_node_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 100_000)
    with writing(flood) as endless, writing(whole) as url:
        assert open_web3(endless, url).eth.chain_id == 7


def whole(handler: BaseHTTPRequestHandler) -> None:
    handler.send_header("Content-Length", str(len(ANSWER)))
    handler.end_headers()
    handler.wfile.write(ANSWER)


def chunked(handler: BaseHTTPRequestHandler) -> None:
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for at in range(0, len(ANSWER), 7):
        part = ANSWER[at : at + 7]
        handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def packed(handler: BaseHTTPRequestHandler) -> None:
    body = gzip.compress(ANSWER)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("write", [whole, chunked, packed])
def test_an_answer_with_an_end(write: Write) -> None:
    with writing(write) as url:
        assert Node(url, "finalized").chain_id() == 7


def test_an_answer_that_is_cut_is_an_outage() -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_header("Content-Length", str(len(ANSWER) + 1))
        handler.end_headers()
        handler.wfile.write(ANSWER)
        handler.close_connection = True

    with writing(cut) as url, pytest.raises(NodeDown):
        Node(url, "finalized").chain_id()
