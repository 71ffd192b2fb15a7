"""Several nodes of one chain: the best one's answer, or what all of them say.

What people see comes from the best node. What cannot be undone rests on every node (design 6.4).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from otc_sdk.policy import State

from coordinator.domain.nodes import NodeReport, NodeState
from coordinator.services.ports import ChainReader, Header, NodeDown, NodesDisagree, RawLog

MAX_NODES = 8
# A node this far behind the highest head is asked last.
MAX_LAG_BLOCKS = 3
# How much of an average is the newest answer's time.
LATENCY_WEIGHT = 0.2
# A node that failed is asked last for this long.
REST_SECONDS = 5.0
R = TypeVar("R")


@dataclass
class Health:
    """What is known of one node. Times in seconds, of a clock that never goes back."""

    name: str
    head: int = 0
    final: int = 0
    latency: float = 0.0
    errors: int = 0
    failed_at: float = float("-inf")
    reason: str = ""

    def worked(self, seconds: float) -> None:
        self.errors = 0
        self.latency += LATENCY_WEIGHT * (seconds - self.latency)

    def failed(self, reason: str, at: float) -> None:
        self.errors, self.reason, self.failed_at = self.errors + 1, reason, at

    def rank(self, best_head: int, at: float) -> tuple[bool, bool, float]:
        """Smaller is better: rested, near the head, quick."""
        resting = at - self.failed_at < REST_SECONDS
        return resting, best_head - self.head > MAX_LAG_BLOCKS, self.latency


class Pool:
    """The nodes with their health. `nodes` are (name, reader)."""

    def __init__(
        self,
        nodes: Sequence[tuple[str, ChainReader]],
        clock: Callable[[], float] = time.monotonic,
        executor: Executor | None = None,
    ) -> None:
        if not 1 <= len(nodes) <= MAX_NODES:
            raise ValueError(f"{len(nodes)} nodes; there must be 1 to {MAX_NODES}")
        self.clock = clock
        self.members = [(Health(name), node) for name, node in nodes]
        self.threads = executor or ThreadPoolExecutor(len(nodes), "node")
        # The newest block that all called final: a node without it is not to be followed.
        self.anchor: Header | None = None
        self.disagreement = ""

    def ask(self, health: Health, node: ChainReader, method: str, *arguments: Any) -> Any:
        """One node's answer; its health is kept. Raises NodeDown."""
        begun = self.clock()
        try:
            answer = getattr(node, method)(*arguments)
        except NodeDown as error:
            health.failed(str(error), self.clock())
            raise
        health.worked(self.clock() - begun)
        if method == "header" and self.contradicts(answer):
            health.failed("it has another chain below the final block", self.clock())
        if method == "head":
            health.head = answer.number
        if method == "final_head":
            health.final = answer.number
        return answer

    def contradicts(self, header: Header | None) -> bool:
        anchor = self.anchor
        if header is None or anchor is None:
            return False
        return header.number == anchor.number and header.hash != anchor.hash

    def report(self) -> list[NodeReport]:
        """How each node is, for the operator."""
        best_head, now = max(h.head for h, _ in self.members), self.clock()
        return [self.report_of(health, best_head, now) for health, _ in self.members]

    def report_of(self, health: Health, best_head: int, now: float) -> NodeReport:
        resting, behind, latency = health.rank(best_head, now)
        state, reason = NodeState.HEALTHY, ""
        if self.disagreement:
            state, reason = NodeState.DISAGREES, self.disagreement
        if behind:
            state, reason = NodeState.BEHIND, f"{best_head - health.head} blocks"
        if resting:
            state, reason = NodeState.DOWN, health.reason
        return NodeReport(
            health.name, "reader", health.head, health.final, round(latency * 1000),
            health.errors, state, reason,
        )  # fmt: skip

    def ranked(self) -> list[tuple[Health, ChainReader]]:
        """The best first."""
        best_head, now = max(h.head for h, _ in self.members), self.clock()
        return sorted(self.members, key=lambda member: member[0].rank(best_head, now))

    def ask_all(self, method: str, *arguments: Any) -> list[tuple[str, Any]]:
        """(name, answer) of every node, at the same time. Raises NodeDown if one fails."""
        if len(self.members) == 1:
            ((health, node),) = self.members
            return [(health.name, self.ask(health, node, method, *arguments))]
        futures = [
            (health.name, self.threads.submit(self.ask, health, node, method, *arguments))
            for health, node in self.members
        ]
        return [(name, future.result()) for name, future in futures]


class Ranked:
    """A ChainReader that asks the best node, and the next one if it fails."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def first(self, method: str, *arguments: Any) -> Any:
        """The first answer. Raises NodeDown if there is none, but for who does not know."""
        return next((answer for _, answer in self.answers(method, *arguments)), None)

    def answers(self, method: str, *arguments: Any) -> Iterator[tuple[Health, Any]]:
        """Each node's, the best one's first; raises NodeDown after them if one failed.

        None is no answer: a node behind does not know what others do.
        """
        failure: NodeDown | None = None
        for health, node in self.pool.ranked():
            try:
                answer = self.pool.ask(health, node, method, *arguments)
            except NodeDown as error:
                failure = error
                continue
            if answer is not None:
                yield health, answer
        if failure is not None:
            raise failure

    def child(self, number: int, parent_hash: str) -> Header | None:
        """The block at this height that ties to its parent, of the best node that has it.

        A node with another one has failed, but only where one ties: in a reorg, none does.
        Raises NodeDown if none ties and a node failed.
        """
        untied: list[Health] = []
        for health, header in self.answers("header", number):
            if header.parent_hash == parent_hash:
                for other in untied:
                    reason = f"its block {number} ties to no block that was read"
                    other.failed(reason, self.pool.clock())
                found: Header = header
                return found
            untied.append(health)
        return None

    def head(self) -> Header:
        """The best node's head; all are asked, so that it is known who lags."""
        found: Header = self.first("head")
        for health, node in self.pool.members:
            if health.head != found.number:
                self.pool.threads.submit(self.pool.ask, health, node, "head")
        return found

    def final_head(self) -> Header:
        found: Header = self.first("final_head")
        return found

    def header(self, number: int) -> Header | None:
        found: Header | None = self.first("header", number)
        return found

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        found: list[Header] = self.first("headers", numbers)
        return found

    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        found: list[RawLog] = self.first("logs_of_block", block_hash, topics)
        return found

    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]:
        found: list[RawLog] = self.first("logs_in_range", first, last, topics, address)
        return found

    def has_code(self, address: str, block: int | None = None) -> bool:
        return bool(self.first("has_code", address, block))

    def token_balance(self, token: str, owner: str, block: int | None = None) -> int:
        return int(self.first("token_balance", token, owner, block))

    def escrow_state(self, escrow: str, order_id: str, block: int | None = None) -> State:
        found: State = self.first("escrow_state", escrow, order_id, block)
        return found

    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool:
        return bool(self.first("verify_1271", signer, digest, signature))


class Agreed:
    """A ChainReader that says only what every node says. Raises NodesDisagree, NodeDown."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def same(self, method: str, *arguments: Any, key: Callable[[Any], Any] = repr) -> Any:
        """The one answer of all nodes, compared by `key`."""
        return self.all_same(method, *arguments, key=key)[0]

    def all_same(self, method: str, *arguments: Any, key: Callable[[Any], Any]) -> list[Any]:
        """The answers of all nodes, which are the same by `key`."""
        answers = self.pool.ask_all(method, *arguments)
        if len({key(answer) for _, answer in answers}) > 1:
            said = "; ".join(f"{name}: {shown(answer)}" for name, answer in answers)
            what = f"the nodes disagree on {method}{arguments[:2]}: {said}"[:500]
            self.pool.disagreement = what
            raise NodesDisagree(what)
        return [answer for _, answer in answers]

    def head(self) -> Header:
        """The highest block that all have come to."""
        return self.common("head")

    def final_head(self) -> Header:
        """The highest block that is final for all."""
        self.pool.anchor = self.common("final_head")
        self.pool.disagreement = ""
        return self.pool.anchor

    def common(self, method: str) -> Header:
        lowest = min(header.number for _, header in self.pool.ask_all(method))
        header = self.header(lowest)
        if header is None:
            raise NodeDown(f"no node knows block {lowest}, which all have come to")
        return header

    def header(self, number: int) -> Header | None:
        found: Header | None = self.same("header", number)
        return found

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        found: list[Header] = self.same("headers", numbers)
        return found

    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        return timed(self.all_same("logs_of_block", block_hash, topics, key=unordered))

    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]:
        query = first, last, topics, address
        return timed(self.all_same("logs_in_range", *query, key=unordered))

    def has_code(self, address: str, block: int | None = None) -> bool:
        return bool(self.same("has_code", address, block))

    def token_balance(self, token: str, owner: str, block: int | None = None) -> int:
        return int(self.same("token_balance", token, owner, block))

    def escrow_state(self, escrow: str, order_id: str, block: int | None = None) -> State:
        found: State = self.same("escrow_state", escrow, order_id, block)
        return found

    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool:
        return bool(self.same("verify_1271", signer, digest, signature))


def unordered(logs: list[RawLog]) -> frozenset[RawLog]:
    return frozenset(logs)


def timed(answers: list[list[RawLog]]) -> list[RawLog]:
    """The logs, with the time that every node says; without one where any says none or another."""
    first, *others = answers
    times = [{log: log.block_time for log in other} for other in others]
    return [
        log if all(said[log] == log.block_time for said in times) else replace(log, block_time=None)
        for log in first
    ]


def shown(answer: Any) -> str:
    """An answer in few words, for people."""
    if isinstance(answer, list):
        return f"{len(answer)} logs"
    if isinstance(answer, Header):
        return answer.hash
    return str(answer)
