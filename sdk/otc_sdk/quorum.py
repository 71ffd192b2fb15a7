"""Whose signature a settlement still lacks."""

from collections.abc import Set
from itertools import combinations

from otc_sdk.policy import State, allows
from otc_sdk.roles import Role
from otc_sdk.terms import Terms


def missing(
    signed: Set[Role], to_buyer_units: int, terms: Terms, state: State, time: int
) -> list[frozenset[Role]]:
    """The smallest sets of roles that would complete the settlement at `time`, any one of them.

    One empty set if those who signed suffice; nothing if no one can complete it now.
    """
    others = sorted(set(Role) - signed)
    for size in range(len(others) + 1):
        found = [
            frozenset(more)
            for more in combinations(others, size)
            if allows(set(signed) | set(more), to_buyer_units, terms, state, time)
        ]
        if found:
            return found
    return []
