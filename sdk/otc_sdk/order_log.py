"""The hash-chained log of an order: whoever keeps its last hash notices every later change."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from otc_sdk.errors import LogError

GENESIS = "0" * 64
Json = dict[str, Any]


def entry_hash(entry: Json) -> str:
    """SHA-256 of an entry without its own hash, as JSON with sorted keys."""
    covered = {name: value for name, value in entry.items() if name != "hash"}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def require_whole(entries: Iterable[Json], order_id: str, last_hash: str | None = None) -> str:
    """The last hash of an order's log, if its entries are one chain from the first.

    With `last_hash`, kept from an earlier look, that entry must still be part of it.
    Raises LogError naming the entry where the chain breaks.
    """
    before, known = GENESIS, {GENESIS}
    for seq, entry in enumerate(entries, start=1):
        found = (entry.get("order_id"), entry.get("seq"), entry.get("prev_hash"))
        if found != (order_id, seq, before) or entry.get("hash") != entry_hash(entry):
            raise LogError(f"the log of order {order_id} breaks at entry {seq}")
        before = str(entry["hash"])
        known.add(before)
    if last_hash is not None and last_hash not in known:
        raise LogError(f"the log of order {order_id} was rewritten: {last_hash} is gone")
    return before
