"""The only place where adapters are built: each process of the coordinator from its settings.

What only one process needs and is slow to import, is imported where it is built.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from otc_sdk.artifacts import load
from otc_sdk.errors import ChainError, OtcError
from otc_sdk.keystore import PASSWORD, PRIVATE_KEY, load_account
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain
from prometheus_client import start_http_server
from sqlalchemy import Engine

from coordinator.adapters import logs
from coordinator.adapters.backfill_bar import BackfillBar
from coordinator.adapters.chain.new_heads import NewHeads
from coordinator.adapters.chain.node import Node, open_web3
from coordinator.adapters.chain.nodes import Agreed, Pool, Ranked
from coordinator.adapters.chain.sender import Account
from coordinator.adapters.cosigner import HttpCosigner
from coordinator.adapters.keys import open_key
from coordinator.adapters.stop_file import StopFile
from coordinator.db.migrate import upgrade
from coordinator.db.session import DatabaseDown, make_engine, require_up, transaction
from coordinator.db.wake import Channel, Listener
from coordinator.domain.cosigning import WINDOWS, Limit
from coordinator.domain.platform import Platform
from coordinator.domain.progress import Progress
from coordinator.services.clock import final_number
from coordinator.services.cosigner_switch import stopped
from coordinator.services.cosigning import CosignPolicy, cosign
from coordinator.services.judging import judge
from coordinator.services.ports import CosignRequest, Key, KeyDown, NodeDown
from coordinator.settings import Settings
from coordinator.workers import loop
from coordinator.workers.keeper import Keeper
from coordinator.workers.sender import Sender
from coordinator.workers.watcher import Watcher

if TYPE_CHECKING:
    from fastapi import FastAPI

log = structlog.get_logger()
START_RETRY_SECONDS = 2
# How long requests may take to end when the server does.
GRACE_SECONDS = 2
MIN_TOKEN_CHARS = 32


def wall_clock() -> int:
    return int(time.time())


def build_engine(settings: Settings) -> Engine:
    """Raises DatabaseDown."""
    engine = make_engine(settings.database_url)
    require_up(engine)
    return engine


def build_pool(settings: Settings) -> Pool:
    """All nodes; some may be down. Raises NodeDown if all are, ChainError for another chain's."""
    nodes = [Node(rpc_url, settings.finality) for rpc_url in settings.rpc_urls]
    failures = [failure for node in nodes if (failure := failure_of(node, settings)) is not None]
    if len(failures) == len(nodes):
        raise failures[0]
    for failure in failures:
        log.warning("a node is down", error=str(failure))
    return Pool([(node.name, node) for node in nodes])


def failure_of(node: Node, settings: Settings) -> NodeDown | None:
    try:
        require_chain(node, settings)
    except NodeDown as failure:
        return failure
    return None


def require_chain(node: Node, settings: Settings) -> None:
    actual = node.chain_id()
    if actual != settings.chain_id:
        raise ChainError(
            f"the node {node.name} is on chain {actual}, the settings say {settings.chain_id}"
        )


def open_node(rpc_url: str, settings: Settings) -> Node:
    """One node. Raises NodeDown, or ChainError for a node on another chain."""
    node = Node(rpc_url, settings.finality)
    require_chain(node, settings)
    return node


def build_platform(settings: Settings) -> Platform:
    """Raises NodeDown, or ChainError if escrow or token are not there."""
    node = Ranked(build_pool(settings))
    for name, address in (("escrow", settings.escrow), ("token", settings.token)):
        if not node.has_code(address):
            raise ChainError(f"no code at {address}, where the {name} should be")
    w3 = open_web3(*settings.rpc_urls)
    token = w3.eth.contract(to_checksum_address(settings.token), abi=load("TetherMock")["abi"])
    return Platform(
        domain=EscrowDomain(settings.chain_id, to_checksum_address(settings.escrow)),
        token=to_checksum_address(settings.token),
        token_symbol=token.functions.symbol().call(),
        token_decimals=token.functions.decimals().call(),
        coordinator=to_checksum_address(settings.coordinator),
        arbitrator=to_checksum_address(settings.arbitrator),
        fee_bps=settings.fee_bps,
        fee_recipient=to_checksum_address(settings.fee_recipient),
        fund_by_seconds=settings.fund_by_seconds,
        refund_window_seconds=settings.refund_window_seconds,
        ruling_window_seconds=settings.ruling_window_seconds,
        final_window_seconds=settings.final_window_seconds,
        default_buyer_bps=settings.default_buyer_bps,
        payment_methods=frozenset(settings.payment_methods),
    )


def build_api(settings: Settings) -> "FastAPI":
    import siwe  # noqa: F401 - slow: the first to sign in shall not wait for it

    from coordinator.api.app import create_app
    from coordinator.api.context import Context
    from coordinator.api.rate_limits import RateLimits

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


def api_from_environment() -> "FastAPI":
    return build_api(Settings())


def require_cosigner_token(settings: Settings) -> str:
    """What the keeper shows the co-signer. Raises OtcError if none is set, or a short one."""
    token = settings.cosigner_token.get_secret_value()
    if len(token) < MIN_TOKEN_CHARS:
        raise OtcError(
            "OTC_COSIGNER_TOKEN is not set or too short: keeper and co-signer must share one of "
            f"{MIN_TOKEN_CHARS} characters or more"
        )
    return token


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


def build_cosigner(settings: Settings) -> "FastAPI":
    from coordinator.api import cosigner as api
    from coordinator.api.request_rate import RequestRate

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


def serve(app: "FastAPI", host: str, port: int, stop: threading.Event) -> None:
    """Serve until `stop`, SIGINT or SIGTERM."""
    import uvicorn

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


def run_api(settings: Settings, stop: threading.Event) -> None:
    serve(build_api(settings), settings.api_host, settings.api_port, stop)


def run_cosigner(settings: Settings, stop: threading.Event) -> None:
    serve(build_cosigner(settings), settings.cosigner_host, settings.cosigner_port, stop)


def run_watcher(settings: Settings, stop: threading.Event) -> None:
    platform = build_platform(settings)
    pool = build_pool(settings)
    watcher = Watcher(
        build_engine(settings),
        platform,
        Ranked(pool),
        Agreed(pool),
        settings.start_block,
        wall_clock,
        BackfillBar().show if sys.stderr.isatty() else log_backfill,
        pool.report,
    )
    wake = threading.Event()
    with build_new_heads(settings, wake):
        loop.run("watcher", watcher.step, settings.poll_seconds, stop, wake)


def build_new_heads(settings: Settings, wake: threading.Event) -> AbstractContextManager[object]:
    return NewHeads(settings.ws_url, wake.set) if settings.ws_url else nullcontext()


def log_backfill(progress: Progress) -> None:
    log.info("backfill", **vars(progress), percent=progress.percent)


def read_final_number(engine: Engine, chain_id: int) -> int:
    """The newest block that is final for all nodes, as the watcher has found it."""
    with transaction(engine) as session:
        return final_number(session, chain_id)


def load_senders(settings: Settings) -> list[LocalAccount]:
    """The gas-paying keys. Raises KeystoreError, or OtcError if one is given twice."""
    paths: list[Path | None] = [*settings.sender_keystores] or [settings.sender_keystore]
    accounts = [load_sender(settings, path) for path in paths]
    addresses = [account.address for account in accounts]
    twice = next((a for a in addresses if addresses.count(a) > 1), None)
    if twice is not None:
        raise OtcError(f"OTC_SENDER_KEYSTORES names {twice} twice")
    return accounts


def load_sender(settings: Settings, path: Path | None) -> LocalAccount:
    """Raises OtcError for a role's key: whoever sends a transaction is one of its signers."""
    account = load_account(path)
    for role in ("coordinator", "arbitrator"):
        if account.address == to_checksum_address(getattr(settings, role)):
            raise OtcError(f"{account.address} is the {role}; the key that pays the gas is another")
    return account


def run_sender(settings: Settings, stop: threading.Event) -> None:
    """Every key on a thread of its own; they share the intents."""
    engine = build_engine(settings)
    wakes: dict[str, threading.Event] = {}
    steps: dict[str, Callable[[], bool]] = {}
    for account in load_senders(settings):
        sender = Sender(
            engine,
            settings.chain_id,
            Account(
                settings.rpc_url,
                settings.chain_id,
                account,
                settings.max_fee_wei,
                settings.more_rpc_urls,
            ),
            partial(read_final_number, engine, settings.chain_id),
            wall_clock,
            to_checksum_address(settings.escrow),
            settings.max_day_fee_wei,
            settings.max_gas,
        )
        name = f"sender {account.address}"
        steps[name], wakes[name] = sender.step, threading.Event()

    def wake_all() -> None:
        for wake in wakes.values():
            wake.set()

    with Listener(engine, Channel.SENDER, wake_all):
        loop.run_all(steps, settings.poll_seconds, stop, wakes)


def run_keeper(settings: Settings, stop: threading.Event) -> None:
    engine = build_engine(settings)
    keeper = Keeper(
        engine,
        build_platform(settings),
        HttpCosigner(settings.cosigner_url, require_cosigner_token(settings)),
        wall_clock,
    )
    wake = threading.Event()
    with Listener(engine, Channel.KEEPER, wake.set):
        loop.run("keeper", keeper.step, settings.poll_seconds, stop, wake)


# The coordinator's processes by name, in the order in which they start.
PROCESSES = {
    "cosigner": run_cosigner,
    "watcher": run_watcher,
    "sender": run_sender,
    "keeper": run_keeper,
    "api": run_api,
}


def secrets_of(settings: Settings) -> set[str]:
    """What the settings hold that must not be in a log."""
    urls = [urlsplit(url) for url in (settings.database_url, *settings.rpc_urls, settings.ws_url)]
    tokens = (settings.cosigner_token, settings.metrics_token)
    known = {*(token.get_secret_value() for token in tokens), *(url.password or "" for url in urls)}
    known |= {os.environ.get(name, "") for name in (PRIVATE_KEY, PASSWORD)}
    return known - {""}


def serve_metrics(name: str, settings: Settings) -> None:
    """This process' own metrics, on loopback, if a port is set. Raises OtcError if it is taken."""
    if settings.metrics_port == 0:
        return
    port = settings.metrics_port + list(PROCESSES).index(name)
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
            PROCESSES[name](settings, stop)
            return
        except (DatabaseDown, NodeDown, KeyDown) as error:
            log.warning("waiting", error=str(error))
            stop.wait(START_RETRY_SECONDS)
        except OtcError:
            raise
        except Exception as fault:
            log.exception("ended by a fault")
            raise SystemExit(1) from fault
