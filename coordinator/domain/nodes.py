"""What can be said of a node of a chain."""

from dataclasses import dataclass
from enum import StrEnum


class NodeState(StrEnum):
    HEALTHY = "healthy"
    BEHIND = "behind"
    DOWN = "down"
    DISAGREES = "disagrees"
    WRONG_CHAIN = "wrong_chain"


@dataclass(frozen=True)
class NodeReport:
    """One node as its user found it. `name` is the public part of its URL, without its secrets.

    `role` is what it is used for; `latency_ms` an average; numbers are 0 before the first answer.
    """

    name: str
    role: str
    head_number: int
    final_number: int
    latency_ms: int
    errors_in_row: int
    state: NodeState
    reason: str = ""
