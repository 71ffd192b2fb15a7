"""How far a long work is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A backfill: its first block, the newest one done, the last one, the newest range's logs."""

    first: int
    done: int
    last: int
    logs: int

    @property
    def percent(self) -> int:
        return 100 * (self.done - self.first + 1) // (self.last - self.first + 1)
