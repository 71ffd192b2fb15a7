"""Reading the chain again from a block, and comparing what it adds up to with the books."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlmodel import Session

from coordinator.db.chain import Cursor
from coordinator.db.session import transaction
from coordinator.domain.chain_logs import TOPICS
from coordinator.domain.errors import Invalid
from coordinator.domain.platform import Platform
from coordinator.services import chain
from coordinator.services.ports import ChainReader, NodeDown, RawLog
from coordinator.services.replaying import Difference, Span, compare
from coordinator.workers.range_logs import range_logs, topic_of
from coordinator.workers.watcher import MAX_RANGE_BLOCKS

# They are held in memory; start later for more.
MAX_LOGS = 500_000
# Blocks that are not final are asked for one by one.
MAX_SEEN_BLOCKS = 1000


@dataclass(frozen=True)
class Replay:
    """What was read, and where the books differ; nothing was written.

    Blocks `first` to `last` are final. `head` is the newest one in the books, `seen` the newest one
    that was read again: `head`, or `last` where not all nodes have the books' newest blocks.
    """

    first: int
    last: int
    seen: int
    head: int
    logs: int
    differences: list[Difference]


def replay(
    engine: Engine,
    platform: Platform,
    node: ChainReader,
    first: int,
    progress: Callable[[int, int], None],
) -> Replay:
    """Replay the blocks from `first`. `progress` is told (final blocks done, final blocks in all).

    Raises Invalid for a block that is not final yet or too many logs, NodeDown.
    """
    with transaction(engine) as session:
        final, vaults = cursor_of(session, platform).final_number, watched(session, platform)
    if not 0 <= first <= final:
        raise Invalid("from_block", f"from block 0 to the newest final one, {final}; not {first}")
    logs: set[RawLog] = set()
    read(platform, node, vaults, first, final, progress, logs)
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(snapshot) as session, session.begin():
        # What has become final, and what was placed, while the chain was read.
        cursor, more = cursor_of(session, platform), watched(session, platform)
        last, head = cursor.final_number, cursor.number
        read(platform, node, more, final + 1, last, progress, logs)
        if placed := sorted(set(more) - set(vaults)):
            read(platform, node, placed, first, final, progress, logs)
        times = times_of(node, logs)
        hashes = chain.known_hashes(session, platform.domain.chain_id, last + 1, head)
        seen_times = read_seen(platform, node, more, range(last + 1, head + 1), hashes, logs)
        span = Span(first, last, last if seen_times is None else head)
        times |= seen_times or {}
        found = compare(session, platform, span, sorted_logs(logs), times)
    return Replay(first, last, span.seen, head, len(logs), found)


def cursor_of(session: Session, platform: Platform) -> Cursor:
    cursor = session.get(Cursor, platform.domain.chain_id)
    if cursor is None:
        raise Invalid("not_read", f"chain {platform.domain.chain_id} was never read")
    return cursor


def watched(session: Session, platform: Platform) -> list[str]:
    return chain.watched_vaults(session, platform.domain.chain_id)


def read(
    platform: Platform,
    node: ChainReader,
    vaults: list[str],
    first: int,
    last: int,
    progress: Callable[[int, int], None],
    found: set[RawLog],
) -> None:
    """Add the logs of final blocks."""
    for at in range(first, last + 1, MAX_RANGE_BLOCKS):
        end = min(at + MAX_RANGE_BLOCKS - 1, last)
        found |= set(range_logs(node, platform.domain.escrow, vaults, at, end))
        require_room(len(found), end)
        progress(end - first + 1, last - first + 1)


def require_room(logs: int, block: int) -> None:
    if logs > MAX_LOGS:
        raise Invalid("too_many_logs", f"over {MAX_LOGS} logs by block {block}; start later")


def read_seen(
    platform: Platform,
    node: ChainReader,
    vaults: list[str],
    numbers: range,
    hashes: list[str],
    found: set[RawLog],
) -> dict[str, int] | None:
    """Add the logs of blocks that are not final, which the books have by these hashes; their times.

    None, and no logs, unless all nodes have these very blocks: they may lag, or be on another fork.
    """
    if len(numbers) > MAX_SEEN_BLOCKS:
        return None
    parties = {topic_of(vault) for vault in vaults}
    logs: set[RawLog] = set()
    try:
        headers = node.headers(numbers)
        if [header.hash for header in headers] != hashes:
            return None
        for header in headers:
            of_block = node.logs_of_block(header.hash, TOPICS)
            logs |= {log for log in of_block if concerns(log, platform.domain.escrow, parties)}
            require_room(len(found) + len(logs), header.number)
    except NodeDown:
        return None
    found |= logs
    return {header.hash: header.time for header in headers}


def concerns(log: RawLog, escrow: str, parties: set[str]) -> bool:
    """Whether a log is the escrow's, or may be a transfer from or to one of these."""
    return log.address == escrow or not parties.isdisjoint(log.topics[1:])


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
