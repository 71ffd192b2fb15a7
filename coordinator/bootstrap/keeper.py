"""The keeper."""

import threading

from coordinator.adapters.cosigner import HttpCosigner
from coordinator.bootstrap.clock import wall_clock
from coordinator.bootstrap.cosigner_token import require_cosigner_token
from coordinator.bootstrap.database import build_engine
from coordinator.bootstrap.platform import build_platform
from coordinator.db.wake import Channel, Listener
from coordinator.settings import Settings
from coordinator.workers import loop
from coordinator.workers.keeper import Keeper


def run(settings: Settings, stop: threading.Event) -> None:
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
