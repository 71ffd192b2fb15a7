"""The coordinator's processes by name; each runs until it is told to stop."""

import os
import threading
from importlib import import_module
from urllib.parse import urlsplit

import structlog
from otc_sdk.errors import OtcError
from otc_sdk.keystore import PASSWORD, PRIVATE_KEY
from prometheus_client import start_http_server

from coordinator.adapters import logs
from coordinator.db.session import DatabaseDown, postgresql_url
from coordinator.services.ports import KeyDown, NodeDown
from coordinator.settings import Settings

log = structlog.get_logger()
START_RETRY_SECONDS = 2
# Each is a file of this folder, imported by its own process only. In the order in which they start.
PROCESSES = ("cosigner", "watcher", "sender", "keeper", "api")


def secrets_of(settings: Settings) -> set[str]:
    """What the settings hold that must not be in a log."""
    urls = [urlsplit(url) for url in (*settings.rpc_urls, settings.ws_url)]
    # As SQLAlchemy reads them: what it takes for a password is not always one to urlsplit.
    books = [postgresql_url(url) for url in (settings.database_url, settings.cosigner_books_url)]
    tokens = (settings.cosigner_token, settings.metrics_token)
    known = {token.get_secret_value() for token in tokens}
    known |= {url.password or "" for url in urls} | {url.password or "" for url in books}
    known |= {os.environ.get(name, "") for name in (PRIVATE_KEY, PASSWORD)}
    return known - {""}


def serve_metrics(name: str, settings: Settings) -> None:
    """This process' own metrics, on loopback, if a port is set. Raises OtcError if it is taken."""
    if settings.metrics_port == 0:
        return
    port = settings.metrics_port + PROCESSES.index(name)
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        raise OtcError(f"OTC_METRICS_PORT: port {port} is taken") from error


def run_process(name: str, settings: Settings, stop: threading.Event) -> None:
    """Run one process until `stop`; while database or node are down at its start, it waits."""
    fields = {"worker": name, "chain_id": settings.chain_id}
    logs.configure(settings.log_format, fields, secrets_of(settings))
    serve_metrics(name, settings)
    log.info("started")
    while not stop.is_set():
        try:
            import_module(f"coordinator.bootstrap.{name}").run(settings, stop)
            return
        except (DatabaseDown, NodeDown, KeyDown) as error:
            log.warning("waiting", error=str(error))
            stop.wait(START_RETRY_SECONDS)
        except OtcError:
            raise
        except Exception as fault:
            log.exception("ended by a fault")
            raise SystemExit(1) from fault
