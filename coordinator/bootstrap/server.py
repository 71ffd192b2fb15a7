"""An HTTP server that ends when it is told to."""

import threading

import uvicorn
from fastapi import FastAPI

# How long requests may take to end when the server does.
GRACE_SECONDS = 2


def serve(app: FastAPI, host: str, port: int, stop: threading.Event) -> None:
    """Serve until `stop`, SIGINT or SIGTERM."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )

    def end() -> None:
        stop.wait()
        server.should_exit = True

    # A signal that came before the server took signals over has only set `stop`.
    threading.Thread(target=end, daemon=True).start()
    server.run()
