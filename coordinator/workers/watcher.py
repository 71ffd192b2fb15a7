"""Following the chain: what one node says is seen, what all nodes say becomes final."""

from collections.abc import Callable

import structlog
from sqlalchemy import Engine

from coordinator.db.chain import Cursor
from coordinator.db.process_lock import LockTaken, ProcessLock
from coordinator.db.session import transaction
from coordinator.domain.chain_logs import ESCROW_TOPICS
from coordinator.domain.errors import InvariantBroken
from coordinator.domain.nodes import NodeReport
from coordinator.domain.platform import Platform
from coordinator.domain.progress import Progress
from coordinator.domain.reconciliation import Facts
from coordinator.services import chain, halting, node_health, reconciliation
from coordinator.services.ports import (
    ChainFollower,
    ChainHalted,
    ChainReader,
    Header,
    NodeDown,
    NodesDisagree,
    RawLog,
    Witnesses,
)
from coordinator.services.reconciliation import Target
from coordinator.workers.blocks import MAX_BLOCKS_PER_STEP, Blocks
from coordinator.workers.garbage import collected_later
from coordinator.workers.range_logs import range_logs, topic_of, transfers
from coordinator.workers.watchtower import Watchtower

log = structlog.get_logger()
# Further behind the final head than this, blocks are read as ranges instead of one by one.
RANGE_THRESHOLD_BLOCKS = 100
MAX_RANGE_BLOCKS = 2000
MAX_CHECKS_PER_STEP = 20
REPORT_EVERY_SECONDS = 5
DOUBT_SECONDS = 60


def quiet(_: Progress) -> None:
    """Says nothing."""


def no_reports() -> list[NodeReport]:
    """Of a chain whose nodes nobody watches."""
    return []


class Watcher:
    """One writer of one chain. `node` is quick, `agreed` says only what every node says.

    The watchtower asks `witnesses`: whatever holds up the chain, nobody is left undefended.
    """

    def __init__(
        self,
        engine: Engine,
        platform: Platform,
        node: ChainFollower,
        agreed: ChainReader,
        witnesses: Witnesses,
        start_block: int,
        now: Callable[[], int],
        progress: Callable[[Progress], None] = quiet,
        node_reports: Callable[[], list[NodeReport]] = no_reports,
    ) -> None:
        self.engine, self.platform, self.now = engine, platform, now
        self.node, self.agreed, self.progress = node, agreed, progress
        self.node_reports = node_reports
        self.blocks = Blocks(platform, node, agreed)
        self.watchtower = Watchtower(engine, platform, witnesses, now)
        self.backfilled_from, self.reported_at, self.doubted_at = 0, 0, 0
        self.chain_id = platform.domain.chain_id
        self.range_blocks = MAX_RANGE_BLOCKS
        self.lock = ProcessLock(engine, f"watcher:{self.chain_id}")
        self.hold_lock()
        try:
            self.epoch = self.begin(start_block)
        except BaseException:
            self.lock.release()  # or the next attempt would find it taken
            raise

    def begin(self, start_block: int) -> int:
        """The new epoch. All nodes must know the start block, but only for the first."""
        with transaction(self.engine) as session:
            epoch = chain.take_over(session, self.chain_id)
        if epoch is not None:
            return epoch
        start = self.agreed.header(start_block)
        if start is None:
            raise NodeDown(f"the node does not have the start block {start_block}")
        with transaction(self.engine) as session:
            return chain.start(session, self.chain_id, start)

    def step(self) -> bool:
        """Read what follows the cursor; True if there is more.

        Nodes that disagree hold up what is final, and with it the money, not what people see.
        """
        self.hold_lock()
        try:
            self.watchtower.look(self.epoch)
            return self.advance()
        finally:
            self.report()

    def report(self) -> None:
        """Keep how the nodes are where the operator sees it, now and then."""
        if self.now() - self.reported_at < REPORT_EVERY_SECONDS:
            return
        self.reported_at = self.now()
        with transaction(self.engine) as session:
            node_health.report(session, self.chain_id, self.node_reports(), self.now())

    def advance(self) -> bool:
        final = self.node.final_head()
        cursor = self.cursor()
        if final.number - cursor.number > RANGE_THRESHOLD_BLOCKS and self.catch_up(cursor):
            return True
        more = self.follow(cursor)
        try:
            if final.number > cursor.final_number:
                more = self.finalize() or more
            more = self.reconcile() or more
        except ChainHalted:
            raise
        except NodeDown as error:
            log.error("nothing becomes final", chain_id=self.chain_id, reason=str(error))
        return more

    def catch_up(self, cursor: Cursor) -> bool:
        """Take a range; False if not all nodes say that there is that much to take."""
        reach = self.agreed.final_head().number
        if reach <= cursor.final_number:
            return False
        if not self.rewind_if_needed(cursor):
            self.take_range(cursor, reach)
        return True

    def hold_lock(self) -> None:
        """Make sure that this process alone follows the chain; the epoch is the second line."""
        try:
            self.lock.hold()
        except LockTaken as taken:
            raise NodeDown(f"another watcher follows chain {self.chain_id}") from taken

    def cursor(self) -> Cursor:
        """Raises EpochLost, ChainHalted."""
        with transaction(self.engine) as session:
            cursor = chain.own_cursor(session, self.chain_id, self.epoch)
        if cursor.halted:
            raise ChainHalted(f"chain {self.chain_id} is halted: {cursor.halted}")
        return cursor

    # What is seen

    def follow(self, cursor: Cursor) -> bool:
        head = self.node.head()
        if head.hash == cursor.hash:
            return False
        if self.rewind_if_needed(cursor):
            return True
        headers, logs = self.blocks.after(cursor, head)
        if not headers:
            return False
        with transaction(self.engine) as session:
            chain.ingest(session, self.platform, self.epoch, headers, logs, self.now())
        return headers[-1].number < head.number

    def rewind_if_needed(self, cursor: Cursor) -> bool:
        """If the block at the cursor is no longer the chain's, go back to the common ancestor."""
        number, expected = cursor.number, cursor.hash
        while True:
            header = self.node.header(number)
            if header is not None and header.hash == expected:
                break
            if number <= cursor.final_number:
                self.require_final(number, expected)
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

    def require_final(self, number: int, expected: str) -> None:
        """A node without our final block lags or lies; if all have another, the chain is halted."""
        header = self.agreed.header(number)
        if header is None:
            raise NodeDown(f"the node has not come to the final block {number} yet")
        if header.hash == expected:
            raise NodesDisagree(f"a node denies the final block {number}")
        self.halt(f"block {number} was final as {expected} and is {header.hash} now")

    def halt(self, reason: str) -> None:
        """Raises ChainHalted, now and at every step, until an operator resumes the chain.

        Raises EpochLost, with nothing done, if another watcher has taken over.
        """
        with transaction(self.engine) as session:
            chain.own_cursor(session, self.chain_id, self.epoch)
            halting.halt(session, self.chain_id, reason)
        log.critical("chain halted", chain_id=self.chain_id, reason=reason)
        raise ChainHalted(f"chain {self.chain_id} is halted: {reason}")

    # What is final

    def finalize(self) -> bool:
        """Let all nodes say what was in the blocks that became final; True if more blocks did."""
        cursor = self.cursor()
        final = self.agreed.final_head()
        reach = min(final.number, cursor.number)
        if reach - cursor.final_number > RANGE_THRESHOLD_BLOCKS:
            self.take_range(cursor, reach)
            return True
        self.backfilled_from = 0
        number = min(reach, cursor.final_number + MAX_BLOCKS_PER_STEP)
        if number <= cursor.final_number:
            return False
        headers = self.agreed.headers(range(cursor.final_number + 1, min(number + 1, final.number)))
        headers += [final] if number == final.number else []
        with transaction(self.engine) as session:
            hashes = chain.known_hashes(session, self.chain_id, cursor.final_number + 1, number)
        if hashes != [header.hash for header in headers]:
            raise NodesDisagree(f"a block up to {number} is final with another hash than was read")
        logs = [entry for header in headers for entry in self.blocks.logs(self.agreed, header)]
        self.keep_final(headers[-1], logs, {header.hash: header.time for header in headers})
        return number < final.number

    def doubt(self, last: Header, logs: list[RawLog]) -> None:
        """A block's logs never change: what was seen and is denied now may be a node's gap.

        It is asked again for a while; an invented log must not hold up all others for ever.
        """
        first = self.cursor().final_number + 1
        with transaction(self.engine) as session:
            missing = chain.count_missing(session, self.chain_id, first, last.number, logs)
        if not missing:
            self.doubted_at = 0
            return
        self.doubted_at = self.doubted_at or self.now()
        if self.now() - self.doubted_at < DOUBT_SECONDS:
            raise NodesDisagree(f"{missing} logs up to block {last.number} were seen and are gone")
        log.error("logs denied", chain_id=self.chain_id, block=last.number, missing=missing)
        self.doubted_at = 0

    def keep_final(self, last: Header, logs: list[RawLog], times: dict[str, int]) -> None:
        self.doubt(last, logs)
        try:
            with transaction(self.engine) as session:
                chain.finalize(session, self.platform, self.epoch, last, logs, times, self.now())
        except InvariantBroken as broken:
            self.halt(str(broken))

    def times_of(self, logs: list[RawLog]) -> dict[str, int]:
        """Block hash -> its time, from the logs where they say it, else from the headers."""
        times = {e.block_hash: e.block_time for e in logs if e.block_time is not None}
        numbers = sorted({e.block_number for e in logs if e.block_hash not in times})
        times |= {header.hash: header.time for header in self.agreed.headers(numbers)}
        if not all(entry.block_hash in times for entry in logs):
            raise NodeDown("the nodes' logs and headers do not fit together")
        return times

    def take_range(self, cursor: Cursor, reach: int) -> None:
        """Take in a range of blocks up to `reach`, all final, at once.

        The range is halved when it fails, down to one block, and grows when it works.
        """
        self.require_same(cursor)
        first = cursor.final_number + 1
        last = min(first + self.range_blocks - 1, reach)
        try:
            logs = self.read_range(first, last)
        except NodeDown as failure:
            self.shrink(failure)
            return
        header = self.agreed.header(last)
        if header is None:
            raise NodeDown(f"no node has the final block {last}")
        with collected_later():
            self.keep_final(header, logs, self.times_of(logs))
        self.range_blocks = min(self.range_blocks * 2, MAX_RANGE_BLOCKS)
        self.backfilled_from = self.backfilled_from or first
        self.progress(Progress(self.backfilled_from, last, reach, len(logs)))

    def shrink(self, failure: NodeDown) -> None:
        """Ask for half as many blocks from now on. Raises the failure where that is no remedy."""
        if self.range_blocks == 1 or isinstance(failure, NodesDisagree):
            raise failure
        self.range_blocks //= 2
        log.info("smaller range", chain_id=self.chain_id, blocks=self.range_blocks)

    def require_same(self, cursor: Cursor) -> None:
        """Halt the chain unless our final block is still in it."""
        header = self.agreed.header(cursor.final_number)
        if header is None or header.hash != cursor.final_hash:
            self.require_final(cursor.final_number, cursor.final_hash)

    def read_range(self, first: int, last: int) -> list[RawLog]:
        """The escrow's events, and the transfers of our vaults."""
        with transaction(self.engine) as session:
            vaults = chain.watched_vaults(session, self.chain_id)
        return range_logs(self.agreed, self.platform.domain.escrow, vaults, first, last)

    # What the contract says itself

    def reconcile(self) -> bool:
        """Compare orders that changed, or were not compared for long, with the chain's state.

        True if more wait, and none of these has to wait for its nodes.
        """
        with transaction(self.engine) as session:
            due = reconciliation.due(session, self.chain_id, self.now(), MAX_CHECKS_PER_STEP)
        number, compared = self.cursor().final_number, 0
        for target in due:
            try:
                self.examine(target, number)
                compared += 1
            except NodesDisagree as error:  # on one order's vault: the others' are looked at, too
                log.error("order waits", order_id=target.order_id, reason=str(error))
        return compared == MAX_CHECKS_PER_STEP

    def examine(self, target: Target, number: int) -> None:
        if self.compare(target, number) is not None:
            self.reread(target, number)
            self.compare(target, number)

    def compare(self, target: Target, number: int) -> str | None:
        facts = self.facts(target, number)
        with transaction(self.engine) as session:
            return reconciliation.record(
                session, self.platform, self.epoch, target.order_id, number, facts, self.now()
            )

    def facts(self, target: Target, number: int) -> Facts:
        escrow = self.platform.domain.escrow
        return Facts(
            balance_units=self.agreed.token_balance(target.token, target.vault, number),
            settled=self.agreed.has_code(target.vault, number),
            state=self.agreed.escrow_state(escrow, target.order_id, number),
        )

    def reread(self, target: Target, number: int) -> None:
        """Read one order's whole history again: a log that was missed is found so."""
        logs: list[RawLog] = []
        first = target.from_number
        while first <= number:
            last = min(first + self.range_blocks - 1, number)
            try:
                logs += self.history(target, first, last)
            except NodeDown as failure:
                self.shrink(failure)
                continue
            first = last + 1
        times = self.times_of(logs)
        try:
            with transaction(self.engine) as session:
                chain.repair(
                    session, self.platform, self.epoch, target.order_id, logs, times, self.now()
                )
        except InvariantBroken as broken:
            self.halt(str(broken))

    def history(self, target: Target, first: int, last: int) -> list[RawLog]:
        """What these blocks have of one order."""
        events, escrow = list(ESCROW_TOPICS), self.platform.domain.escrow
        by_order = [events, target.order_id], [events, None, target.order_id]
        logs = transfers(self.agreed, first, last, [topic_of(target.vault)])
        for topics in by_order:
            logs += self.agreed.logs_in_range(first, last, topics, escrow)
        return logs
