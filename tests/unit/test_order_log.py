"""The hash-chained log: no field of any entry can be changed unnoticed."""

from dataclasses import fields, replace
from typing import Any

import pytest

from coordinator.domain.errors import InvariantBroken
from coordinator.domain.order_log import GENESIS, Entry, entry_hash, require_whole

Log = list[tuple[Entry, str]]
OTHER_VALUES: dict[str, Any] = {
    "order_id": "0xother", "seq": 7, "at": 1, "actor": "nobody", "event": "paid",
    "from_status": "paid", "to_status": "completed", "reason": "because",
    "data": {"tx": "0x02"}, "prev_hash": "f" * 64,
}  # fmt: skip


def make_log(length: int) -> Log:
    log: Log = []
    for seq in range(1, length + 1):
        before = log[-1][1] if log else GENESIS
        entry = Entry(
            "0xorder", seq, 1_800_000_000 + seq, "buyer", "e", "a", "b", "why", {"tx": "0x01"},
            before,
        )  # fmt: skip
        log.append((entry, entry_hash(entry)))
    return log


def test_a_whole_log() -> None:
    require_whole(make_log(3))
    require_whole([])


def test_every_field_is_tried() -> None:
    assert set(OTHER_VALUES) == {field.name for field in fields(Entry)}


@pytest.mark.parametrize("field", OTHER_VALUES)
@pytest.mark.parametrize("index", range(3))
def test_a_changed_field_breaks_the_log(field: str, index: int) -> None:
    log = make_log(3)
    entry, stored = log[index]
    log[index] = (replace(entry, **{field: OTHER_VALUES[field]}), stored)
    with pytest.raises(InvariantBroken, match=f"entry {index + 1}"):
        require_whole(log)


@pytest.mark.parametrize("field", OTHER_VALUES)
@pytest.mark.parametrize("index", range(2))
def test_hashing_a_changed_entry_anew_breaks_the_next(field: str, index: int) -> None:
    log = make_log(3)
    changed = replace(log[index][0], **{field: OTHER_VALUES[field]})
    log[index] = (changed, entry_hash(changed))
    with pytest.raises(InvariantBroken):
        require_whole(log)


@pytest.mark.parametrize("index", range(2))
def test_a_missing_entry_breaks_the_log(index: int) -> None:
    log = make_log(3)
    del log[index]
    with pytest.raises(InvariantBroken):
        require_whole(log)


def test_swapped_entries_break_the_log() -> None:
    first, second, third = make_log(3)
    with pytest.raises(InvariantBroken):
        require_whole([second, first, third])


def test_a_false_hash_breaks_the_log() -> None:
    log = make_log(3)
    log[2] = (log[2][0], "0" * 64)
    with pytest.raises(InvariantBroken):
        require_whole(log)
