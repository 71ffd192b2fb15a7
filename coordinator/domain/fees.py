"""What a transaction may cost: pure rules (EIP-1559, and the gas price of older chains).

Prices are wei a unit of gas. `Fees` are the fields of a transaction: `maxFeePerGas` with
`maxPriorityFeePerGas`, or `gasPrice`. What an L2 charges for data comes on top and is not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

Fees = Mapping[str, int]
DAY_SECONDS = 86_400
# Of the day's fees, what contracts signed may cost a quarter.
CONTRACTS_PART_OF_DAY = 4
# The tip is the median of the last blocks' median tips: one odd block changes nothing.
TIP_PERCENTILE = 50
TIP_BLOCKS = 10
# The base fee rises by at most an eighth a block; it may rise for this many full blocks.
BASE_FEE_BLOCKS = 6
# A replacement must raise both fees by this much to be taken by other nodes' pools.
REPLACEMENT_PERMILLE = 1125
REPLACE_AFTER_SECONDS = 60
MAX_ATTEMPTS = 10
# After so many, only a price that has risen this much is followed: each doubling makes one more.
FOLLOWED_FACTOR = 2
# A key that cannot pay for this many usual transactions is low.
LOW_TRANSACTIONS = 20
USUAL_GAS = 150_000


@dataclass(frozen=True)
class FeeHistory:
    """Of the newest blocks, from `eth_feeHistory`; `tips` are at TIP_PERCENTILE of each."""

    next_base_fee: int
    tips: Sequence[int]


def dynamic(history: FeeHistory, suggested_tip: int) -> dict[str, int]:
    """EIP-1559 fees. Blocks that nobody paid a tip in say nothing; without any, the node's."""
    paid = [tip for tip in history.tips if tip > 0]
    tip = median_low(paid) if paid else suggested_tip
    room = -(-history.next_base_fee * 9**BASE_FEE_BLOCKS // 8**BASE_FEE_BLOCKS)
    return {"maxFeePerGas": room + tip, "maxPriorityFeePerGas": tip}


def price(fees: Fees) -> int:
    """The most that a unit of gas costs with these fees."""
    return fees["maxFeePerGas"] if "maxFeePerGas" in fees else fees["gasPrice"]


def raised(previous: Fees, today: Fees) -> dict[str, int]:
    """Today's fees, but enough above the previous attempt's for a replacement."""
    return {
        name: max(value, least_above(previous.get(name, price(previous))))
        for name, value in today.items()
    }


def least_above(value: int) -> int:
    # Pools want more, not as much: of nothing, an eighth is nothing.
    return max(-(-value * REPLACEMENT_PERMILLE // 1000), value + 1)


def is_stuck(newest: Fees, today: Fees, age_seconds: int, attempts: int, first: bool) -> bool:
    """Whether a transaction needs higher fees: it pays less than today's, or is the next in turn.

    Those behind it may only be waiting for it.
    """
    if age_seconds < REPLACE_AFTER_SECONDS:
        return False
    if attempts >= MAX_ATTEMPTS:
        return price(today) >= FOLLOWED_FACTOR * price(newest)
    return first or price(newest) < price(today)


@dataclass(frozen=True)
class DayFees:
    """Of all keys of a chain: paid in the last 24 hours, and the most that is in flight."""

    spent_wei: int
    in_flight_wei: int

    def over(self, more_wei: int, ceiling_wei: int) -> bool:
        return self.spent_wei + self.in_flight_wei + more_wei > ceiling_wei


def counted(day: DayFees, by_contracts: DayFees, ceiling_wei: int) -> DayFees:
    """The day's fees, but of what contracts signed no more than their part of the ceiling.

    Their cheap disputes wait for no ceiling; what these cost must not stop the others.
    """
    theirs = by_contracts.spent_wei + by_contracts.in_flight_wei
    beyond = max(0, theirs - ceiling_wei // CONTRACTS_PART_OF_DAY)
    return DayFees(day.spent_wei - beyond, day.in_flight_wei)


def usual_wei(today: Fees) -> int:
    """The most that a usual transaction costs."""
    return price(today) * USUAL_GAS


def condition_of(balance_wei: int, in_flight_wei: int, today: Fees) -> str:
    """`empty`: cannot pay for a usual transaction; `low`: for LOW_TRANSACTIONS; else `ok`."""
    free = balance_wei - in_flight_wei
    if free < usual_wei(today):
        return "empty"
    return "low" if free < usual_wei(today) * LOW_TRANSACTIONS else "ok"
