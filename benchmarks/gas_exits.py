"""Gas of every way an order ends: alone or in a batch, direct or relayed, with keys or a Safe.

A Safe signs by ERC-1271 and never sends: where it is one of those who must agree, another sends.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby, product

from otc_sdk import calls
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from web3 import Web3

from benchmarks.gas_chain import (
    AMOUNT,
    BUYERS,
    FINAL_SECONDS,
    PAY_SECONDS,
    REFUND_SECONDS,
    RULING_SECONDS,
    VALID_UNTIL,
    Bench,
)

BATCHES = (1, 10, 50)
SPLIT = AMOUNT * 6 // 10
DEFAULT_SPLIT = AMOUNT // 2

SELLER, BUYER, COORDINATOR, ARBITRATOR = Role
Figures = dict[str, int]


def at_once(_: Bench, __: list[Terms]) -> None:
    """Nothing but the funding needs to have happened."""


def unpaid(bench: Bench, _: list[Terms]) -> None:
    bench.time += PAY_SECONDS


def requested(bench: Bench, orders: list[Terms]) -> None:
    unpaid(bench, orders)
    for order in orders:
        bench.request_refund_relayed(order)
    bench.time += REFUND_SECONDS


def disputed(bench: Bench, orders: list[Terms]) -> None:
    for order in orders:
        bench.dispute_relayed(order, SELLER)


def unruled(bench: Bench, orders: list[Terms]) -> None:
    disputed(bench, orders)
    bench.time += RULING_SECONDS


def abandoned(bench: Bench, orders: list[Terms]) -> None:
    unruled(bench, orders)
    bench.time += FINAL_SECONDS


@dataclass(frozen=True)
class Exit:
    """What the buyer gets, who must agree, whose place a Safe may take, and what comes before.

    Sent directly, the first who can sends, and the others sign.
    """

    to_buyer: int
    roles: tuple[Role, ...] = ()
    safes: tuple[Role, ...] = ()
    prepare: Callable[[Bench, list[Terms]], None] = at_once


EXITS = {
    "release": Exit(AMOUNT, (COORDINATOR, SELLER), (SELLER,)),
    "refund": Exit(0, (COORDINATOR, BUYER), (BUYER,)),
    "refund_unpaid": Exit(0, (COORDINATOR, SELLER), (SELLER,), unpaid),
    "refund_alone": Exit(0, (SELLER,), (SELLER,), requested),
    "split": Exit(SPLIT, (SELLER, BUYER), (SELLER, BUYER)),
    "ruling": Exit(AMOUNT, (ARBITRATOR, BUYER), (ARBITRATOR,), disputed),
    "ruling_split": Exit(SPLIT, (ARBITRATOR, BUYER), (ARBITRATOR,), disputed),
    "ruling_by_coordinator": Exit(AMOUNT, (COORDINATOR, BUYER), (BUYER,), unruled),
    "ruling_split_by_coordinator": Exit(SPLIT, (COORDINATOR, BUYER), (BUYER,), unruled),
    "default_split": Exit(DEFAULT_SPLIT, prepare=abandoned),
}


@dataclass(frozen=True)
class Case:
    """One figure: an exit, who brings it, how many at once (None: by `settle`), and whose Safe."""

    exit: str
    relayed: bool = False
    count: int | None = None
    safe: Role | None = None

    @property
    def name(self) -> str:
        return (
            self.exit
            + ("" if self.safe is None else f"_safe_{self.safe.label}")
            + ("_relayed" if self.relayed else "")
            + ("" if self.count is None else f"_per_order_in_batch_of_{self.count}")
        )

    @property
    def way(self) -> Exit:
        return EXITS[self.exit]

    @property
    def sender(self) -> Role | None:
        """The party that sends; None: a stranger."""
        able = () if self.relayed else self.way.roles
        return next((role for role in able if role is not self.safe), None)

    def possible(self) -> bool:
        """Where nobody signs, a stranger sends, and nothing is relayed."""
        if self.way.roles:
            return self.relayed == (self.sender is None)
        return not self.relayed

    def opened(self, bench: Bench) -> list[Terms]:
        """Orders that can end so."""
        orders = [bench.funded(name, **self.members(bench)) for name in self.buyers()]
        self.way.prepare(bench, orders)
        return orders

    def gas(self, bench: Bench, opened: list[Terms]) -> int:
        """An order's share of the transaction, rounded up."""
        orders = opened[: self.count or 1]
        items = [self.item(bench, order) for order in orders]
        sender = bench.relayer if self.sender is None else bench.parties[self.sender]
        data = calls.settle(*items[0]) if self.count is None else calls.settle_batch(items)
        used = bench.call(sender, data)
        vaults = [Web3.to_checksum_address(bench.vault(order)) for order in orders]
        if not all(bench.anvil.w3.eth.get_code(vault) for vault in vaults):
            raise RuntimeError(f"{self.name}: an order was not settled")
        return -(-used // len(orders))

    def buyers(self) -> tuple[str, ...]:
        """A batch has as many buyers, unless the buyer sends it."""
        if self.count is None:
            return ("buyer",)
        return ("buyer",) * self.count if self.sender is BUYER else BUYERS[: self.count]

    def members(self, bench: Bench) -> dict[str, str]:
        return {} if self.safe is None else {self.safe.label: bench.safe}

    def item(self, bench: Bench, order: Terms) -> tuple[Terms, int, int, calls.Signatures]:
        signers = [role for role in self.way.roles if role is not self.sender]
        signatures = bench.signed(order, self.way.to_buyer, signers)
        return order, self.way.to_buyer, VALID_UNTIL, signatures


def cases() -> list[Case]:
    """All that are possible; of one exit and one Safe one after the other."""
    every = (
        Case(name, relayed, count, safe)
        for name, way in EXITS.items()
        for safe, relayed, count in product((None, *way.safes), (False, True), (None, *BATCHES))
    )
    return [case for case in every if case.possible()]


def one_by_one(bench: Bench, chosen: Iterable[Case]) -> Figures:
    return {case.name: case.gas(bench, case.opened(bench)) for case in chosen}


def side_by_side(bench: Bench, chosen: Iterable[Case]) -> Figures:
    """The same orders end in each way of one exit: the chain goes back after each."""
    figures: Figures = {}
    for _, group in groupby(chosen, key=lambda case: (case.exit, case.safe)):
        same = list(group)
        orders = max(same, key=lambda case: case.count or 0).opened(bench)
        for case in same:
            before = bench.anvil.rpc("evm_snapshot")
            figures[case.name] = case.gas(bench, orders)
            bench.anvil.rpc("evm_revert", before)
    return figures
