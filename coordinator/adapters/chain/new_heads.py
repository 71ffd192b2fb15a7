"""Waking the watcher through a node's WebSocket at each new block. Polling stays the truth.

Nothing is taken from what the node says: whatever comes only means that it is time to look.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import structlog
from otc_sdk.chain import public_part
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from coordinator.adapters.chain.answers import NONSENSE

log = structlog.get_logger()
OPEN_SECONDS = 10
CLOSE_SECONDS = 1
RECONNECT_SECONDS = 5
# A line that died without a word is noticed after the two together.
PING_SECONDS = 20
PONG_SECONDS = 20
# Chains' headers are a tenth of this.
MAX_MESSAGE_BYTES = 64 * 1024
# However much the node says, the watcher looks 20 times a second at most.
MIN_WAKE_SECONDS = 0.05
SUBSCRIBE = json.dumps(
    {"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}
)
# The library's own words name headers and paths, which may be secrets.
QUIET = logging.getLogger(f"{__name__}.library")
QUIET.setLevel(logging.CRITICAL)


class NotSubscribed(Exception):
    """The node refuses, or says something else."""


# An ImportError is that of a SOCKS proxy in the environment, which needs one more library.
FAILURES = (WebSocketException, OSError, ValueError, ImportError, NotSubscribed)


class NewHeads:
    """Calls `wake` at each new block, on a thread of its own.

    A node that cannot be subscribed to, or is lost, is only a warning: the watcher still polls.
    """

    def __init__(self, ws_url: str, wake: Callable[[], None]) -> None:
        self.url, self.name, self.wake = ws_url, public_part(ws_url), wake
        self.stopped = threading.Event()
        self.listening = threading.Event()
        self.thread = threading.Thread(target=self.run, name="new heads", daemon=True)
        self.connection: Connection | None = None
        # Whether the present outage was reported; it lasts until a block comes.
        self.reported = False

    def __enter__(self) -> "NewHeads":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask it to end; it does not hold the process up."""
        self.stopped.set()
        if self.connection is not None:
            hang_up(self.connection)

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self.listen()
            except FAILURES as error:
                self.report(error)
            self.listening.clear()
            self.stopped.wait(RECONNECT_SECONDS)

    def report(self, error: Exception) -> None:
        if self.reported or self.stopped.is_set():
            return
        self.reported = True
        log.warning("no new heads, only polling", node=self.name, error=words(error))

    def listen(self) -> None:
        """Until stopped. Raises one of FAILURES when the line is lost or leads nowhere."""
        with connect(
            self.url,
            compression=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            max_size=MAX_MESSAGE_BYTES,
            logger=QUIET,
        ) as connection:
            self.connection = connection  # before the look at `stopped`, which __exit__ sets first
            if self.stopped.is_set():
                return
            connection.send(SUBSCRIBE)
            self.follow(frames(connection))

    def follow(self, incoming: Iterator[bytes]) -> None:
        """Wake at the subscription, for what came before it, and at whatever comes after it.

        Nothing is read meanwhile: the line itself holds a flood back.
        """
        for frame in incoming:
            if self.listening.is_set():
                self.is_well()
            else:
                require_subscription(frame)
                self.listening.set()
            self.wake()
            if self.stopped.wait(MIN_WAKE_SECONDS):
                return

    def is_well(self) -> None:
        if self.reported:
            log.info("new heads come again", node=self.name)
        self.reported = False


def frames(connection: Connection) -> Iterator[bytes]:
    """Whatever comes, piece by piece: a message of endless empty pieces would fill the memory."""
    while True:
        yield from connection.recv_streaming(decode=False)


def require_subscription(answer: bytes) -> None:
    """Raises NotSubscribed unless the answer has a subscription's id."""
    try:
        subscription = json.loads(answer)["result"]
    except NONSENSE:
        subscription = None
    if not isinstance(subscription, str):
        raise NotSubscribed("the node's answer to eth_subscribe is no subscription")


def words(error: Exception) -> str:
    """Only the kind of most errors: their words hold the URL, or what the node likes to say."""
    safe = isinstance(error, NotSubscribed | InvalidStatus)
    return str(error) if safe else type(error).__name__


def hang_up(connection: Connection) -> None:
    """Ends a wait for the next message. No farewell: that could wait for the node."""
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)
