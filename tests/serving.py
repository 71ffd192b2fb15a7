"""An app behind a real socket.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

START_SECONDS = 20


@contextmanager
def served(app: FastAPI, listener: socket.socket) -> Iterator[None]:
    """The app answers at the socket."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        assert server.started
        yield
    finally:
        server.should_exit = True
        thread.join()
