"""The API."""

import threading

import siwe  # noqa: F401 - slow to import: the first to sign in shall not wait for it
from fastapi import FastAPI

from coordinator.adapters.chain.nodes import Ranked
from coordinator.api.app import create_app
from coordinator.api.context import Context
from coordinator.api.rate_limits import RateLimits
from coordinator.bootstrap.clock import wall_clock
from coordinator.bootstrap.database import build_engine
from coordinator.bootstrap.nodes import build_pool
from coordinator.bootstrap.platform import build_platform
from coordinator.bootstrap.server import serve
from coordinator.settings import Settings


def build_api(settings: Settings) -> FastAPI:
    return create_app(
        Context(
            engine=build_engine(settings),
            platform=build_platform(settings),
            verify_1271=Ranked(build_pool(settings)).verify_1271,
            now=wall_clock,
            public_domain=settings.public_domain,
            max_lag_seconds=settings.max_lag_seconds,
            metrics_token=settings.metrics_token.get_secret_value(),
            rate_limits=RateLimits(settings.rate_limit_percent),
        )
    )


def api_from_environment() -> FastAPI:
    return build_api(Settings())


def run(settings: Settings, stop: threading.Event) -> None:
    serve(build_api(settings), settings.api_host, settings.api_port, stop)
