"""A line to a node as an HTTP server: a fake node's own, or a proxy before a real one."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from tests.simulation.faults import Ask, Json, Line, Reply

ANSWER_SECONDS = 10
MAX_BODY_BYTES = 2**20


def forward(url: str) -> Ask:
    """Asks the node at a URL."""
    session = requests.Session()
    session.trust_env = False

    def ask(method: str, params: list[Any]) -> Json:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        answer = session.post(url, json=request, timeout=ANSWER_SECONDS).json()
        return {key: answer[key] for key in ("result", "error") if key in answer}

    return ask


class Proxy:
    """A server on a free loopback port. One request at a time: a line has one state."""

    def __init__(self, line: Line) -> None:
        self.line, self.lock = line, threading.Lock()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                proxy.answer(self)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> "Proxy":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def exchange(self, request: Any) -> tuple[Reply, Any]:
        """Of a batch, each request has its fault; one that breaks an answer breaks them all."""
        if not isinstance(request, list):
            reply = self.line.exchange(request)
            return reply, reply.body
        replies = [self.line.exchange(one) for one in request]
        broken = next((reply for reply in replies if reply.status != HTTPStatus.OK), None)
        if broken is not None:
            return broken, broken.body
        cut = any(reply.cut for reply in replies)
        return Reply(HTTPStatus.OK, cut=cut), [reply.body for reply in replies]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        size = min(int(handler.headers["Content-Length"]), MAX_BODY_BYTES)
        request = json.loads(handler.rfile.read(size))
        with self.lock:
            reply, answer = self.exchange(request)
        handler.close_connection = True
        if reply.status is None:
            return
        body = json.dumps(answer or "<html>").encode()
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if reply.cut else body)
