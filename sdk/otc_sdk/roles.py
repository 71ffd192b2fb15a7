"""The four parties of an order. A set of roles is the number with bit `1 << role` for each."""

from collections.abc import Iterable
from enum import IntEnum


class Role(IntEnum):
    """Same order as the contract's enum."""

    SELLER = 0
    BUYER = 1
    COORDINATOR = 2
    ARBITRATOR = 3

    @property
    def label(self) -> str:
        return self.name.lower()


TRADERS = (Role.SELLER, Role.BUYER)


def bits(roles: Iterable[Role]) -> int:
    """The set as the contract writes it."""
    return sum(1 << role for role in set(roles))


def from_bits(value: int) -> frozenset[Role]:
    """The roles in a set written by the contract."""
    return frozenset(role for role in Role if value & (1 << role))
