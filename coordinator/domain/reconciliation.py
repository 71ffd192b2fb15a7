"""What the chain itself says of an order, beside what its logs add up to."""

from dataclasses import dataclass

from otc_sdk.policy import State


@dataclass(frozen=True)
class Facts:
    """An order's vault and state in one final block; `balance_units` is of the order's token."""

    balance_units: int
    settled: bool
    state: State


def difference(books: Facts, chain: Facts) -> str | None:
    """What differs, in words, or None. A settled order's state decides nothing any more."""
    if books.settled != chain.settled:
        return f"the books say {words(books.settled)}, the chain says {words(chain.settled)}"
    if books.balance_units != chain.balance_units:
        return (
            f"the logs add up to {books.balance_units} units, the vault holds {chain.balance_units}"
        )
    if not chain.settled and books.state != chain.state:
        return f"the books have {books.state}, the chain has {chain.state}"
    return None


def words(settled: bool) -> str:
    return "settled" if settled else "not settled"
