"""A node behind a WebSocket, which treats each of its first callers as it is told.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.sync.server import ServerConnection, serve

ASKED = {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
ANSWER = '{"jsonrpc":"2.0","id":1,"result":"0x1"}'
HEAD = '{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x1","result":{}}}'
# One connection, once its handshake is done. It is closed when this returns.
Act = Callable[[ServerConnection], None]
CLOSE_SECONDS = 1
QUIET = logging.getLogger("stand-in node")
QUIET.setLevel(logging.CRITICAL)


def until_gone(connection: ServerConnection) -> None:
    """Until the caller hangs up."""
    with suppress(ConnectionClosed):
        connection.recv()


def subscribed(connection: ServerConnection) -> None:
    assert json.loads(connection.recv()) == ASKED
    connection.send(ANSWER)


def saying(*messages: str | bytes) -> Act:
    """A node that says this, whatever it is asked, and waits."""

    def act(connection: ServerConnection) -> None:
        connection.recv()
        for message in messages:
            connection.send(message)
        until_gone(connection)

    return act


class WebSocketNode:
    """The first callers get `acts`, one each; all others are served as a node should."""

    def __init__(self, *acts: Act | int, certificate: Path | None = None) -> None:
        """An act that is a number is the HTTP status which the caller is refused with."""
        self.acts = list(acts)
        self.requests: list[Request] = []
        self.connections: list[ServerConnection] = []
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        self.server = serve(
            self.serve, "127.0.0.1", 0, ssl=context, logger=QUIET, process_request=self.admit,
            close_timeout=CLOSE_SECONDS,
        )  # fmt: skip
        self.address = f"127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.url = f"{'ws' if context is None else 'wss'}://{self.address}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> "WebSocketNode":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """A caller that does not hang up must not keep the tests from ending."""
        self.server.shutdown()
        self.thread.join()
        for connection in self.connections:
            connection.close()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        first = self.acts[0] if self.acts else well
        if not isinstance(first, int):
            return None
        self.acts.pop(0)
        return connection.respond(first, "no")

    def serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        act = self.acts.pop(0) if self.acts else well
        assert not isinstance(act, int), "it was let in"
        with suppress(ConnectionClosed):
            act(connection)


def well(connection: ServerConnection) -> None:
    """One block comes after the subscription."""
    subscribed(connection)
    connection.send(HEAD)
    until_gone(connection)


def mute_subscription(listener: socket.socket) -> socket.socket:
    """A connection whose node subscribes the caller, and then does not even answer a ping."""
    connection, _ = listener.accept()
    protocol = ServerProtocol(logger=QUIET)
    protocol.receive_data(connection.recv(65536))
    [request] = protocol.events_received()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request))
    protocol.send_text(ANSWER.encode())
    for data in protocol.data_to_send():
        connection.sendall(data)
    return connection
