"""The watcher as bootstrap builds it, over the nodes of a test, with nothing in the background.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from coordinator.adapters.chain.nodes import Agreed, Pool, Ranked
from coordinator.adapters.chain.witnesses import NodeWitnesses
from coordinator.domain.platform import Platform
from coordinator.workers.watcher import Watcher


def at_once(act: Callable[..., None], *arguments: Any) -> None:
    act(*arguments)


def pool_of(*nodes: Any) -> Pool:
    """All equally quick: the first is asked first until it fails, and last from then on."""
    members = [(f"node {number}", node) for number, node in enumerate(nodes)]
    return Pool(members, lambda: 0.0)


def watcher_over(
    pool: Pool,
    engine: Engine,
    platform: Platform,
    start_block: int,
    now: Callable[[], int],
    *more: Any,
) -> Watcher:
    witnesses = NodeWitnesses(pool, at_once)
    return Watcher(engine, platform, Ranked(pool), Agreed(pool), witnesses, start_block, now, *more)
