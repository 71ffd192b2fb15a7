"""A node that misbehaves: passes requests on to a real one, and changes the answers."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

# (request, answer) -> (HTTP status, body)
Change = Callable[[dict[str, Any], dict[str, Any]], tuple[int, str]]


@contextmanager
def proxy(url: str, change: Change) -> Iterator[str]:
    """URL of the changed node, stopped at the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            onward = urllib.request.Request(  # noqa: S310 - our own node
                url, body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(onward, timeout=10) as answer:  # noqa: S310
                status, text = change(json.loads(body), json.load(answer))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
