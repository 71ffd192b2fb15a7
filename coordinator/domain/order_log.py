"""The hash-chained log of an order: each entry's hash covers the one before it."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from coordinator.domain.errors import InvariantBroken

GENESIS = "0" * 64


@dataclass(frozen=True)
class Entry:
    """One change of an order. `at` is Unix seconds of the chain's or the coordinator's clock."""

    order_id: str
    seq: int
    at: int
    actor: str
    event: str
    from_status: str
    to_status: str
    reason: str
    data: dict[str, Any]
    prev_hash: str


def entry_hash(entry: Entry) -> str:
    """SHA-256 of the entry as JSON with sorted keys."""
    text = json.dumps(vars(entry), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def require_whole(entries: Iterable[tuple[Entry, str]]) -> None:
    """Raise InvariantBroken unless the (entry, hash) pairs are one unbroken chain from seq 1."""
    before = GENESIS
    for seq, (entry, stored) in enumerate(entries, start=1):
        if (entry.seq, entry.prev_hash, entry_hash(entry)) != (seq, before, stored):
            raise InvariantBroken(f"the log of order {entry.order_id} breaks at entry {seq}")
        before = stored
