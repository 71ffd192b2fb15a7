"""Reading blocks one by one: each is tied to the one before it, its logs are asked for by hash."""

import structlog

from coordinator.db.chain import Cursor
from coordinator.domain.bloom import is_suspect
from coordinator.domain.chain_logs import ESCROW_TOPICS, TOPICS, TRANSFER
from coordinator.domain.platform import Platform
from coordinator.services.ports import ChainFollower, ChainReader, Header, NodeDown, RawLog

log = structlog.get_logger()
MAX_BLOCKS_PER_STEP = 50


class Blocks:
    """The blocks of one chain. `node` is quick, `agreed` says only what every node says."""

    def __init__(self, platform: Platform, node: ChainFollower, agreed: ChainReader) -> None:
        self.platform, self.node, self.agreed = platform, node, agreed
        # The block that nothing follows, though there is said to be more.
        self.stuck_at = ""

    def after(self, cursor: Cursor, head: Header) -> tuple[list[Header], list[RawLog]]:
        """What follows the cursor, with its logs. Raises NodeDown."""
        headers: list[Header] = []
        logs: list[RawLog] = []
        parent = cursor.hash
        last = min(head.number, cursor.number + MAX_BLOCKS_PER_STEP)
        for number in range(cursor.number + 1, last + 1):
            header = self.node.child(number, parent)
            if header is None:
                break
            logs += self.logs(self.node, header)
            headers.append(header)
            parent = header.hash
        self.note(cursor, stuck=not headers and head.number > cursor.number)
        return headers, logs

    def note(self, cursor: Cursor, stuck: bool) -> None:
        """Say once that no node has a block that follows: they are on forks, or made one up."""
        if stuck and self.stuck_at != cursor.hash:
            log.error("nothing follows", chain_id=cursor.chain_id, block=cursor.number)
        self.stuck_at = cursor.hash if stuck else ""

    def logs(self, node: ChainReader, header: Header) -> list[RawLog]:
        """A block's logs. Where its filter does not fit the answer, all nodes are asked (again).

        Raises NodeDown.
        """
        logs = node.logs_of_block(header.hash, TOPICS)
        domain = self.platform.domain
        ours = {self.platform.token: [TRANSFER], domain.escrow: ESCROW_TOPICS}
        if is_suspect(header.bloom, ours, {entry.address for entry in logs}):
            logs = self.agreed.logs_of_block(header.hash, TOPICS)
            where = {"chain_id": domain.chain_id, "block": header.number}
            log.warning("empty logs", **where, found=len(logs))
        if any(entry.block_number != header.number for entry in logs):
            raise NodeDown(f"a node puts logs of block {header.number} into another")
        return logs
