"""A node that goes on answering is a node that does not answer."""

import gzip
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest

from coordinator.adapters.chain import answers
from coordinator.adapters.chain.node import Node, open_web3
from coordinator.services.ports import NodeDown
from tests.adapters.answering import Write, answering, writing

ANSWER = b'{"jsonrpc": "2.0", "id": 0, "result": "0x7"}'


def flood(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_header("Content-Length", str(2**40))
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b"[" * 2**16)


def drip(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    """Always something, and before any one read takes long."""
    handler.send_header("Content-Length", str(2**40))
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)


@pytest.mark.parametrize(("write", "fault"), [(flood, "ConnectionError"), (drip, "ReadTimeout")])
def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch, write: Write, fault: str) -> None:
    """Found: it filled the memory, or held up a worker for ever."""
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 100_000)
    monkeypatch.setattr(answers, "TIMEOUT_SECONDS", 1)
    with writing(write) as url, pytest.raises(NodeDown, match=fault):
        Node(url, "finalized").chain_id()


def test_the_next_node_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", 100_000)
    with writing(flood) as endless, answering(ANSWER) as url:
        assert open_web3(endless, url).eth.chain_id == 7


def chunked(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for at in range(0, len(ANSWER), 7):
        part = ANSWER[at : at + 7]
        handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    handler.wfile.write(b"0\r\n\r\n")


def packed(handler: BaseHTTPRequestHandler, _: bytes) -> None:
    body = gzip.compress(ANSWER)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("write", [chunked, packed])
def test_an_answer_with_an_end(write: Write) -> None:
    with writing(write) as url:
        assert Node(url, "finalized").chain_id() == 7


def test_an_answer_that_is_cut_is_an_outage() -> None:
    def cut(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.send_header("Content-Length", str(len(ANSWER) + 1))
        handler.end_headers()
        handler.wfile.write(ANSWER)

    with writing(cut) as url, pytest.raises(NodeDown):
        Node(url, "finalized").chain_id()
