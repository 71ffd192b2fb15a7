"""Following the chain: reads blocks in order, rewinds after a reorg, moves the final mark."""

from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from coordinator.db.chain import Cursor
from coordinator.db.session import transaction
from coordinator.domain.chain_logs import TOPICS, TRANSFER
from coordinator.domain.errors import InvariantBroken
from coordinator.domain.platform import Platform
from coordinator.services import chain
from coordinator.services.ports import ChainReader, Header, NodeDown, RawLog

log = structlog.get_logger()
# Further behind the final head than this, blocks are read as ranges instead of one by one.
RANGE_THRESHOLD_BLOCKS = 100
MAX_RANGE_BLOCKS = 2000
MAX_BLOCKS_PER_STEP = 50
MAX_TOPICS_PER_QUERY = 500


class Watcher:
    """One writer of one chain."""

    def __init__(
        self,
        engine: Engine,
        platform: Platform,
        node: ChainReader,
        start_block: int,
        now: Callable[[], int],
    ) -> None:
        self.engine, self.platform, self.node, self.now = engine, platform, node, now
        self.chain_id = platform.domain.chain_id
        self.epoch = self.begin(start_block)

    def begin(self, start_block: int) -> int:
        start = self.node.header(start_block)
        if start is None:
            raise NodeDown(f"the node does not have the start block {start_block}")
        with transaction(self.engine) as session:
            return chain.take_over(session, self.chain_id, start).epoch

    def step(self) -> bool:
        """Read what follows the cursor; True if the head is not reached yet."""
        with transaction(self.engine) as session:
            cursor = chain.own_cursor(session, self.chain_id, self.epoch)
        if cursor.halted:
            raise InvariantBroken(f"chain {self.chain_id} is halted: {cursor.halted}")
        head, final = self.node.head(), self.node.final_head()
        if self.rewind_if_needed(cursor):
            return True
        if final.number - cursor.number > RANGE_THRESHOLD_BLOCKS:
            headers, logs = self.read_range(cursor, final)
        else:
            headers, logs = self.read_blocks(cursor, head)
        if not headers and final.number <= cursor.final_number:
            return False
        with transaction(self.engine) as session:
            chain.ingest(session, self.platform, self.epoch, headers, logs, final, self.now())
        return bool(headers) and headers[-1].number < head.number

    def rewind_if_needed(self, cursor: Cursor) -> bool:
        """If the block at the cursor is no longer the chain's, go back to the common ancestor."""
        number, expected = cursor.number, cursor.hash
        while True:
            header = self.node.header(number)
            if header is not None and header.hash == expected:
                break
            if number <= cursor.final_number and header is None:
                raise NodeDown(f"the node has not come to the final block {number} yet")
            if number <= cursor.final_number:
                self.halt(f"block {number} was final as {expected} and is not there any more")
            number -= 1
            with transaction(self.engine) as session:
                known = chain.known_hash(session, self.chain_id, number)
            expected = known or (cursor.final_hash if number == cursor.final_number else "")
        if number == cursor.number:
            return False
        with transaction(self.engine) as session:
            depth = chain.rewind(session, self.platform, self.epoch, header, self.now())
        log.warning("reorg", chain_id=self.chain_id, depth=depth, ancestor=number)
        return True

    def halt(self, reason: str) -> None:
        with transaction(self.engine) as session:
            chain.halt(session, self.chain_id, reason)
        raise InvariantBroken(f"chain {self.chain_id} is halted: {reason}")

    def read_blocks(self, cursor: Cursor, head: Header) -> tuple[list[Header], list[RawLog]]:
        """Blocks one by one, each tied to the one before it, logs by block hash."""
        headers: list[Header] = []
        logs: list[RawLog] = []
        parent = cursor.hash
        last = min(head.number, cursor.number + MAX_BLOCKS_PER_STEP)
        for number in range(cursor.number + 1, last + 1):
            header = self.node.header(number)
            if header is None or header.parent_hash != parent:
                break
            logs += self.node.logs_of_block(header.hash, TOPICS)
            headers.append(header)
            parent = header.hash
        return headers, logs

    def read_range(self, cursor: Cursor, final: Header) -> tuple[list[Header], list[RawLog]]:
        """A range of final blocks at once: the escrow's events, and transfers of our vaults."""
        first = cursor.number + 1
        last = min(cursor.number + MAX_RANGE_BLOCKS, final.number)
        logs = self.node.logs_in_range(first, last, [], self.platform.domain.escrow)
        with transaction(self.engine) as session:
            vaults = ["0x" + v[2:].lower().rjust(64, "0") for v in chain.watched_vaults(session)]
        for at in range(0, len(vaults), MAX_TOPICS_PER_QUERY):
            some = vaults[at : at + MAX_TOPICS_PER_QUERY]
            logs += self.node.logs_in_range(first, last, [TRANSFER, None, some], None)
            logs += self.node.logs_in_range(first, last, [TRANSFER, some], None)
        numbers = sorted({entry.block_number for entry in logs} | {last})
        headers = [h for number in numbers if (h := self.node.header(number)) is not None]
        if len(headers) != len(numbers) or not matching(logs, headers):
            raise NodeDown("the node's logs and headers do not fit together")
        return headers, logs


def matching(logs: list[RawLog], headers: list[Header]) -> bool:
    """Whether every log lies in one of the blocks."""
    hashes = {header.hash for header in headers}
    return all(entry.block_hash in hashes for entry in logs)
