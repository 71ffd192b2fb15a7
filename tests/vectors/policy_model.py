"""The policy table of the design as a table, and the vectors made from it.

    python tests/vectors/policy_model.py           writes policy.json beside this file
    python tests/vectors/policy_model.py --check   exits 1 if that file differs from the table

Written from the table in the design alone; contract and SDK are held to it.
"""

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

POLICY_JSON = Path(__file__).with_name("policy.json")

ROLES = ("seller", "buyer", "coordinator", "arbitrator")


@dataclass(frozen=True)
class Terms:
    """What the table reads of an order. Times are seconds after the readers' base time."""

    amount: int = 1_000_000
    default_buyer_bps: int = 3_333
    pay_by: int = 1_000
    refund_window: int = 500
    ruling_window: int = 300
    final_window: int = 850

    @property
    def default_split(self) -> int:
        return self.amount * self.default_buyer_bps // 10_000


@dataclass(frozen=True)
class Moment:
    """An order's state as seen at `time`; None for what never happened."""

    time: int
    requested_at: int | None
    disputed_at: int | None


TERMS = Terms()

OUTCOMES = {
    "release": TERMS.amount,
    "refund": 0,
    "split": 600_001,
    "default split": TERMS.default_split,
}

# State -> (refund requested at, disputed at). One dispute comes before the pay-by time, one after.
STATES: dict[str, tuple[int | None, int | None]] = {
    "open": (None, None),
    "refund requested": (1_100, None),
    "disputed": (None, 400),
    "disputed after refund request": (1_100, 1_200),
}

Rule = Callable[[Moment], bool]


def always(_: Moment) -> bool:
    return True


def disputed(moment: Moment) -> bool:
    return moment.disputed_at is not None


def overdue(moment: Moment) -> bool:
    """After pay-by, no dispute."""
    return moment.time >= TERMS.pay_by and not disputed(moment)


def refund_window_passed(moment: Moment) -> bool:
    """After pay-by, requested, and the refund window passed without a dispute."""
    return (
        overdue(moment)
        and moment.requested_at is not None
        and moment.time >= moment.requested_at + TERMS.refund_window
    )


def arbitrator_silent(moment: Moment) -> bool:
    """Disputed, and past the ruling window."""
    return (
        moment.disputed_at is not None and moment.time >= moment.disputed_at + TERMS.ruling_window
    )


def both_silent(moment: Moment) -> bool:
    """Disputed, and past the final window, which begins where the ruling window ends."""
    return (
        moment.disputed_at is not None
        and moment.time >= moment.disputed_at + TERMS.ruling_window + TERMS.final_window
    )


# The table. A row allows its outcome to whoever gathers at least its roles.
TABLE: tuple[tuple[str, set[str], Rule], ...] = (
    ("any", {"seller", "buyer"}, always),
    ("release", {"seller", "coordinator"}, always),
    ("refund", {"buyer", "coordinator"}, always),
    ("refund", {"seller", "coordinator"}, overdue),
    ("refund", {"seller"}, refund_window_passed),
    ("any", {"arbitrator", "seller"}, disputed),
    ("any", {"arbitrator", "buyer"}, disputed),
    ("any", {"coordinator", "seller"}, arbitrator_silent),
    ("any", {"coordinator", "buyer"}, arbitrator_silent),
    ("default split", set(), both_silent),
)


def allowed(outcome: str, signed: set[str], moment: Moment) -> bool:
    return any(
        row_outcome in ("any", outcome) and needed <= signed and when(moment)
        for row_outcome, needed, when in TABLE
    )


def subsets_of_roles() -> Iterator[set[str]]:
    for size in range(len(ROLES) + 1):
        yield from map(set, itertools.combinations(ROLES, size))


def times() -> list[int]:
    """The last second before, and the first second of, every deadline of every state."""
    deadlines = {TERMS.pay_by}
    for requested_at, disputed_at in STATES.values():
        if requested_at is not None:
            deadlines.add(requested_at + TERMS.refund_window)
        if disputed_at is not None:
            deadlines.add(disputed_at + TERMS.ruling_window)
            deadlines.add(disputed_at + TERMS.ruling_window + TERMS.final_window)
    return sorted({second for deadline in deadlines for second in (deadline - 1, deadline)})


def as_bits(signed: set[str]) -> int:
    """Bit i stands for ROLES[i], as on chain."""
    return sum(1 << i for i, role in enumerate(ROLES) if role in signed)


def vectors() -> dict[str, Any]:
    """Parallel arrays, which every JSON reader copes with; `never` stands for no such event.

    Moments before the state's own events are in it, too: the pure functions answer them,
    the contract cannot be brought there.
    """
    names = ("requested_at", "disputed_at", "time", "roles", "to_buyer", "allowed")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    never = 2**32
    for state, time, outcome in itertools.product(STATES, times(), OUTCOMES):
        requested_at, disputed_at = STATES[state]
        moment = Moment(time, requested_at, disputed_at)
        for signed in subsets_of_roles():
            row = (
                never if requested_at is None else requested_at,
                never if disputed_at is None else disputed_at,
                time,
                as_bits(signed),
                OUTCOMES[outcome],
                allowed(outcome, signed, moment),
            )
            for name, value in zip(names, row, strict=True):
                columns[name].append(value)
    return {"terms": asdict(TERMS), "never": never, **columns}


def main() -> int:
    made = vectors()
    lines = ",\n".join(f'"{key}": {json.dumps(made[key])}' for key in made)
    text = "{\n" + lines + "\n}\n"
    if "--check" not in sys.argv[1:]:
        POLICY_JSON.write_text(text)
    elif not POLICY_JSON.exists() or POLICY_JSON.read_text() != text:
        print(f"{POLICY_JSON} is not what its model says; run {__file__}", file=sys.stderr)
        return 1
    print(f"{len(made['allowed'])} vectors, {sum(made['allowed'])} of them allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
