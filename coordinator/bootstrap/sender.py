"""The senders: one thread a gas-paying key."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from otc_sdk.errors import OtcError
from otc_sdk.keystore import load_account
from sqlalchemy import Engine

from coordinator.adapters.chain.sender import Account
from coordinator.bootstrap.clock import wall_clock
from coordinator.bootstrap.database import build_engine
from coordinator.db.session import transaction
from coordinator.db.wake import Channel, Listener
from coordinator.services.clock import final_number
from coordinator.settings import Settings
from coordinator.workers import loop
from coordinator.workers.sender import Sender


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


def run(settings: Settings, stop: threading.Event) -> None:
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
                settings.max_gas,
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
