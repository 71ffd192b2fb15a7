"""The HTTP API for any ASGI server: `uvicorn --factory coordinator.app:create_app`."""

from fastapi import FastAPI

from coordinator.bootstrap.api import api_from_environment


def create_app() -> FastAPI:
    """Raises what build_api raises."""
    return api_from_environment()
