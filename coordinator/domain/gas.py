"""How much gas a transaction of ours is given: pure rules."""

from collections.abc import Sequence

# Every verb takes less than 400,000; more is a party's contract signature burning our coins, or
# what some chains add for their data on another.
MAX_GAS = 1_000_000
# Every verb takes more; what is given less than its own bytes cost is never mined, and keeps its
# nonce for ever. What is left over costs nothing.
LEAST_GAS = 100_000
MARGIN_PERCENT = 150


def with_margin(estimate: int) -> int:
    """Room between estimate and limit: a payout that the token refuses needs more gas."""
    return max(estimate * MARGIN_PERCENT // 100, LEAST_GAS)


def best_estimate(estimates: Sequence[int], most: int) -> int:
    """Of several nodes', the largest that may be given: too little is mined in vain, and one
    node's absurd number is not the others'. Where none may be, the smallest.
    """
    given = [estimate for estimate in estimates if with_margin(estimate) <= most]
    return max(given, default=min(estimates))
