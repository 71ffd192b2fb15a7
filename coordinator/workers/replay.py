"""Reading the chain again from a block, and comparing what it adds up to with the books."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from coordinator.db.chain import Cursor
from coordinator.db.session import transaction
from coordinator.domain.errors import Invalid
from coordinator.domain.platform import Platform
from coordinator.services import chain
from coordinator.services.ports import ChainReader, NodeDown, RawLog
from coordinator.services.replaying import Difference, compare
from coordinator.workers.range_logs import range_logs
from coordinator.workers.watcher import MAX_RANGE_BLOCKS

# They are held in memory; start later for more.
MAX_LOGS = 500_000


@dataclass(frozen=True)
class Replay:
    """What was read, and where the books differ; nothing was written."""

    first: int
    last: int
    logs: int
    differences: list[Difference]


def replay(
    engine: Engine,
    platform: Platform,
    node: ChainReader,
    first: int,
    progress: Callable[[int, int], None],
) -> Replay:
    """Replay final blocks from `first`. `progress` is told (blocks done, blocks in all).

    Raises Invalid for a block that is not final yet or too many logs, NodeDown.
    """
    with transaction(engine) as session:
        final, vaults = final_number(session, platform), watched(session, platform)
    if not 0 <= first <= final:
        raise Invalid("from_block", f"from block 0 to the newest final one, {final}; not {first}")
    logs = read(platform, node, vaults, first, final, progress)
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(snapshot) as session, session.begin():
        # What has become final, and what was placed, while the chain was read.
        last, more = final_number(session, platform), watched(session, platform)
        logs |= read(platform, node, more, final + 1, last, progress)
        if placed := sorted(set(more) - set(vaults)):
            logs |= read(platform, node, placed, first, final, progress)
        found = compare(session, platform, first, last, sorted_logs(logs), times_of(node, logs))
    return Replay(first, last, len(logs), found)


def final_number(session: Session, platform: Platform) -> int:
    cursor = session.get(Cursor, platform.domain.chain_id)
    if cursor is None:
        raise Invalid("not_read", f"chain {platform.domain.chain_id} was never read")
    return cursor.final_number


def watched(session: Session, platform: Platform) -> list[str]:
    return chain.watched_vaults(session, platform.domain.chain_id)


def read(
    platform: Platform,
    node: ChainReader,
    vaults: list[str],
    first: int,
    last: int,
    progress: Callable[[int, int], None],
) -> set[RawLog]:
    found: set[RawLog] = set()
    for at in range(first, last + 1, MAX_RANGE_BLOCKS):
        end = min(at + MAX_RANGE_BLOCKS - 1, last)
        found |= set(range_logs(node, platform.domain.escrow, vaults, at, end))
        if len(found) > MAX_LOGS:
            raise Invalid("too_many_logs", f"over {MAX_LOGS} logs by block {end}; start later")
        progress(end - first + 1, last - first + 1)
    return found


def sorted_logs(logs: set[RawLog]) -> list[RawLog]:
    return sorted(logs, key=lambda log: (log.block_number, log.log_index))


def times_of(node: ChainReader, logs: set[RawLog]) -> dict[str, int]:
    """Unix seconds by block hash. Raises NodeDown if a log's block is not the node's."""
    times = {log.block_hash: log.block_time for log in logs if log.block_time is not None}
    numbers = sorted({log.block_number for log in logs if log.block_hash not in times})
    times |= {header.hash: header.time for header in node.headers(numbers)}
    if not all(log.block_hash in times for log in logs):
        raise NodeDown("the node's logs and headers do not fit together")
    return times
