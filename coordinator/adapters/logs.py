"""One line a log entry, on standard error: JSON for machines, or text for people. No secrets."""

import logging
import re
import sys
from collections.abc import Collection
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

# Shorter ones would blot out ordinary words.
MIN_SECRET_CHARS = 6
MAX_LINE_CHARS = 20_000
HIDDEN = "***"
SECRET_NAMES = re.compile(
    "password|secret|token_value|private|authorization|mnemonic|bearer", re.IGNORECASE
)
# What stands before the host of a URL, and what comes after it, may be a key.
USER_INFO = re.compile(r"(\w{1,20}://)[^\s/@\"']{1,500}@")
AFTER_HOST = re.compile(r"((?:http|ws)s?://[^\s/?\"'\\]+)[/?][^\s\"'\\)]+")


def configure(style: str, fields: dict[str, Any], secrets: Collection[str]) -> None:
    """Log in `style` ("json" or "console"), with these fields in every line."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
        with_fields(fields),
        hide_by_name,
    ]
    rendering: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False),
        scrubber(secrets),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendering)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # The libraries' own words only if something is wrong; some of them name URLs otherwise.
    root.setLevel(logging.WARNING)
    logging.getLogger("coordinator").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def with_fields(fields: dict[str, Any]) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**fields, **event}

    return add


def hide_by_name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {k: HIDDEN if SECRET_NAMES.search(k) else v for k, v in event.items()}


def scrubber(secrets: Collection[str]) -> Processor:
    def scrub_line(_: WrappedLogger, __: str, line: Any) -> str:
        return scrub(str(line), secrets)

    return scrub_line


def scrub(text: str, secrets: Collection[str] = ()) -> str:
    """The text without these secrets, and without what URLs hold beside their host."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_CHARS:
            text = text.replace(secret, HIDDEN)
    text = USER_INFO.sub(rf"\1{HIDDEN}@", text[:MAX_LINE_CHARS])
    return AFTER_HOST.sub(rf"\1/{HIDDEN}", text)
