"""The co-signer: its key, its policy, its books."""

import threading

from eth_utils.address import to_checksum_address
from fastapi import FastAPI
from otc_sdk.errors import OtcError
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain
from sqlalchemy import Engine

from coordinator.adapters.chain.nodes import Agreed
from coordinator.adapters.keys import open_key
from coordinator.adapters.stop_file import StopFile
from coordinator.api import cosigner as api
from coordinator.api.request_rate import RequestRate
from coordinator.bootstrap.cosigner_token import require_cosigner_token
from coordinator.bootstrap.database import build_engine
from coordinator.bootstrap.nodes import build_pool
from coordinator.bootstrap.server import serve
from coordinator.db.migrate import upgrade
from coordinator.db.session import make_engine, require_up, transaction
from coordinator.domain.cosigning import WINDOWS, Limit
from coordinator.services.cosigner_switch import stopped
from coordinator.services.cosigning import CosignPolicy, cosign
from coordinator.services.judging import judge
from coordinator.services.ports import CosignRequest, Key
from coordinator.settings import Settings


def build_key(settings: Settings) -> Key:
    """Raises KeyDown, or OtcError for a key that is not the one which orders name."""
    key = open_key(settings.cosigner_key)
    if key.address != to_checksum_address(settings.coordinator):
        raise OtcError(
            f"OTC_COSIGNER_KEY is the key of {key.address}, OTC_COORDINATOR is "
            f"{settings.coordinator}"
        )
    return key


def build_limits(settings: Settings) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            name,
            seconds,
            each_trader,
            units=getattr(settings, f"cosigner_{name}_units"),
            orders=getattr(settings, f"cosigner_{name}_orders"),
        )
        for name, seconds, each_trader in WINDOWS
    )


def build_books(settings: Settings) -> Engine:
    """The co-signer's own database with the newest schema, or the shared one.

    Raises DatabaseDown.
    """
    if settings.cosigner_database_url is None:
        return build_engine(settings)
    engine = make_engine(settings.cosigner_database_url)
    require_up(engine)
    upgrade(engine)
    return engine


def build_policy(settings: Settings) -> CosignPolicy:
    return CosignPolicy(
        domain=EscrowDomain(settings.chain_id, to_checksum_address(settings.escrow)),
        token=to_checksum_address(settings.token),
        fee_recipient=to_checksum_address(settings.fee_recipient),
        order_units=settings.cosigner_order_units,
        limits=build_limits(settings),
        local_stop=StopFile(settings.cosigner_stop_file).why,
    )


def judge_by_hand(settings: Settings, request: CosignRequest, role: Role, why: str, by: str) -> str:
    """The judge's signature, made on the co-signer's machine. Raises what judge raises."""
    engine = build_books(settings)
    try:
        node, key = Agreed(build_pool(settings)), build_key(settings)
        return judge(engine, build_policy(settings), node, key, request, role, why, by)
    finally:
        engine.dispose()


def build_cosigner(settings: Settings) -> FastAPI:
    token = require_cosigner_token(settings)
    engine, node = build_books(settings), Agreed(build_pool(settings))
    key = build_key(settings)
    policy = build_policy(settings)

    def sign(request: CosignRequest) -> str:
        return cosign(engine, policy, node, key, request)

    def why_stopped() -> str | None:
        with transaction(engine) as session:
            return stopped(session, policy.local_stop)

    rate = RequestRate(settings.cosigner_requests_per_minute)
    return api.create_app(sign, why_stopped, key.address, token, rate)


def run(settings: Settings, stop: threading.Event) -> None:
    serve(build_cosigner(settings), settings.cosigner_host, settings.cosigner_port, stop)
