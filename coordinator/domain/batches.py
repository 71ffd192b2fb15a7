"""Which settlements go out together, and with how much gas: pure rules.

`settleBatch` gives each item an even share of the gas that is left, and keeps one for its end. A
share that serves the dearest item serves all, and no item can take another's.
"""

from collections.abc import Sequence

from coordinator.domain.gas import with_margin

MAX_ITEMS = 20
# Dearer ones go alone: everybody's share would have to be as large.
MAX_ITEM_GAS = 300_000
# Below the 2^24 of EIP-7825, and a quarter of a block on most chains.
MAX_GAS = 8_000_000


def gas_limit(estimates: Sequence[int]) -> int:
    """For a batch of settlements that each need `estimates` alone."""
    return with_margin(max(estimates)) * (len(estimates) + 1)


def may_join(estimate: int, alone: bool) -> bool:
    """Whether a settlement may be part of a batch; one that failed in one goes alone."""
    return not alone and estimate <= MAX_ITEM_GAS


def length(estimates: Sequence[int], max_gas: int) -> int:
    """How many of the first settlements fit in one batch of at most `max_gas`; 0 if not two."""
    fitting = [
        count
        for count in range(2, min(len(estimates), MAX_ITEMS) + 1)
        if gas_limit(estimates[:count]) <= min(max_gas, MAX_GAS)
    ]
    return max(fitting, default=0)
