"""A world that is read through two nodes, one of which may lie.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine

from coordinator.services.ports import Header, NodeDown, RawLog
from tests.fake_chain import Event, FakeChain
from tests.watching import pool_of, watcher_over
from tests.world import World


class Liar:
    """A node of a world's chain; what it says of a block's logs and time is to be set."""

    def __init__(self, chain: FakeChain) -> None:
        self.chain = chain
        self.said: dict[str, list[RawLog]] = {}
        self.ahead_seconds = 0

    def header(self, number: int) -> Header | None:
        header = self.chain.header(number)
        if header is None or number <= self.chain.final_number:
            return header
        return replace(header, time=header.time + self.ahead_seconds)

    def __getattr__(self, method: str) -> Any:
        return getattr(self.chain, method)

    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        return self.said.get(block_hash) or self.chain.logs_of_block(block_hash, topics)


class TwoNodes(World):
    """A world whose watcher reads two nodes, of which the liar is asked first."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.watcher.lock.release()
        self.liar = Liar(self.chain)
        self.orders: list[str] = []
        self.pool = pool_of(self.liar, self.chain)
        self.watcher = watcher_over(self.pool, engine, self.platform, 0, lambda: self.now)

    def lie(self, event: Event, **changes: Any) -> None:
        """The liar says that this was in the head block, with these fields."""
        head = self.chain.head()
        said = RawLog(
            head.hash, head.number, 0, "0x" + "ab" * 32, event.address, event.topics, event.data
        )
        self.liar.said[head.hash] = [replace(said, **changes)]

    def read_in_vain(self) -> None:
        with suppress(NodeDown):
            self.read()

    def repent(self) -> None:
        self.liar.said.clear()
        self.chain.finalize()
        self.read()
