"""The coordinator's HTTP API."""

from fastapi import FastAPI

from coordinator.api import ads, auth, errors, health, metrics, orders, platform
from coordinator.api.body_limit import BodyLimit
from coordinator.api.context import Context
from coordinator.api.rate_limits import RateLimitByAddress

DESCRIPTION = """
Non-custodial OTC trading: ads, orders, settlements and disputes.

Sign in with a wallet (EIP-4361), then send the bearer token. Amounts are whole numbers in the
token's smallest unit as decimal text, fiat in minor units; times are Unix seconds. Every refusal
is `{code, message}`.
"""


def create_app(context: Context) -> FastAPI:
    app = FastAPI(title="OTC escrow coordinator", version="0.1.0", description=DESCRIPTION)
    app.state.context, app.state.books = context, metrics.Books()
    errors.install(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(RateLimitByAddress, limits=context.rate_limits)
    for module in (platform, health, metrics, auth, ads, orders):
        app.include_router(module.router)
    return app
