"""The watcher, and what wakes it."""

import sys
import threading
from contextlib import AbstractContextManager, nullcontext

import structlog

from coordinator.adapters.backfill_bar import BackfillBar
from coordinator.adapters.chain.new_heads import NewHeads
from coordinator.adapters.chain.nodes import Agreed, Ranked
from coordinator.adapters.chain.witnesses import NodeWitnesses
from coordinator.bootstrap.clock import wall_clock
from coordinator.bootstrap.database import build_engine
from coordinator.bootstrap.nodes import build_pool
from coordinator.bootstrap.platform import build_platform
from coordinator.domain.progress import Progress
from coordinator.settings import Settings
from coordinator.workers import loop
from coordinator.workers.watcher import Watcher

log = structlog.get_logger()


def run(settings: Settings, stop: threading.Event) -> None:
    platform = build_platform(settings)
    pool = build_pool(settings)
    watcher = Watcher(
        build_engine(settings),
        platform,
        Ranked(pool),
        Agreed(pool),
        NodeWitnesses(pool),
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
