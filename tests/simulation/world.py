"""One seed's world: a chain, its nodes, the coordinator's processes, people, and time."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms
from sqlalchemy.exc import InterfaceError, OperationalError

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.nodes import Agreed, Pool
from coordinator.adapters.chain.sender import Account
from coordinator.bootstrap.sender import read_final_number
from coordinator.domain.errors import InvariantBroken, Refused
from coordinator.domain.platform import Platform
from coordinator.services.chain import EpochLost
from coordinator.services.ports import ChainHalted, NodeDown
from coordinator.workers import watcher
from coordinator.workers.keeper import Keeper
from coordinator.workers.sender import Sender
from tests.chain import account_of
from tests.findings.world import DirectCosigner
from tests.simulation.abi import State
from tests.simulation.actors import (
    ARBITRATOR,
    BY_ADDRESS,
    COORDINATOR,
    GAS_KEYS,
    SELLERS,
    TREASURY,
    Consent,
)
from tests.simulation.chain import Chain
from tests.simulation.contracts import Contracts
from tests.simulation.faults import CONTENT, LINE, NODE, Fault, Line
from tests.simulation.hall import PROCESSES, SENDERS, Hall
from tests.simulation.interruptions import Interruption, Killed
from tests.simulation.node import FakeNode
from tests.simulation.provider import Inline, InProcess, web3_over
from tests.watching import watcher_over
from tests.world import World

DOMAIN = EscrowDomain(31337, account_of("escrow").address)
TOKEN, WRONG_TOKEN = account_of("token").address, account_of("wrong token").address
PLATFORM = Platform(
    domain=DOMAIN, token=TOKEN, token_symbol="USDT", token_decimals=6,
    coordinator=COORDINATOR.address, arbitrator=ARBITRATOR.address, fee_bps=50,
    fee_recipient=TREASURY.address, fund_by_seconds=900, refund_window_seconds=3600,
    ruling_window_seconds=7200, final_window_seconds=7200, default_buyer_bps=5000,
    payment_methods=frozenset({"sepa"}),
)  # fmt: skip
RICH_UNITS, RICH_WEI, MAX_FEE_WEI = 10**12, 10**20, 10**17
CAP_UNITS = 10**12
# Blocks below the head that are final.
MIN_FINALITY, MAX_FINALITY = 2, 5
OUTAGES = (NodeDown, OperationalError, InterfaceError)


@dataclass(frozen=True)
class Weather:
    """What may go wrong in this seed, and how often; drawn anew for each seed."""

    nodes: int
    finality: int
    kinds: tuple[Fault, ...]
    fault_rate: float
    interruption_rate: float
    max_skew_seconds: int
    # So far behind the final head, the watcher reads ranges.
    range_threshold_blocks: int
    # The node that lies, where others contradict it. Senders ask node 0 first.
    liar: int | None

    @classmethod
    def of(cls, chance: Random) -> "Weather":
        nodes = chance.choice((1, 2, 2, 3))
        kinds = tuple(k for k in (*LINE, *NODE) if chance.random() < 0.5)
        # No bloom says what a range lacks: what all leave out is found by reconciliation, later.
        low = Fault.EMPTY_LOGS not in kinds and chance.random() < 0.7
        return cls(
            nodes=nodes,
            liar=chance.choice((0, *range(nodes))) if nodes > 1 and chance.random() < 0.6 else None,
            kinds=kinds,
            finality=chance.randint(MIN_FINALITY, MAX_FINALITY),
            fault_rate=chance.choice((0.0, 0.05, 0.2)),
            interruption_rate=chance.choice((0.0, 0.1, 0.3)),
            max_skew_seconds=chance.choice((0, 30, 300)),
            range_threshold_blocks=3 if low else watcher.RANGE_THRESHOLD_BLOCKS,
        )


class Simulation(World):
    """A seed. Everything random comes from `chance`; `history` says what happened."""

    def __init__(self, hall: Hall, seed: int, weather: Weather | None = None) -> None:
        self.hall, self.seed = hall, seed
        self.chance = Random(f"world {seed}")
        self.weather = weather or Weather.of(self.chance)
        self.platform, self.skew, self.halted = PLATFORM, 0, ""
        self.history: list[str] = []
        self.counts: Counter[str] = Counter()
        self.consents: set[Consent] = set()
        self.truth = self.make_chain()
        self.fakes = [FakeNode(self.truth) for _ in range(self.weather.nodes)]
        self.lines = [
            Line(fake.request, self.chance, lag=fake.lag, catch_up=fake.catch_up)
            for fake in self.fakes
        ]
        self.boundaries = hall.boundaries
        self.boundaries.acts = {
            Interruption.DATABASE: self.close_database,
            Interruption.OTHER: self.other_step,
        }
        self.workers: dict[str, Any] = {}
        self.inside: list[str] = []
        self.engine, self.chain = hall.engines["api"], Agreed(self.pool())

    def make_chain(self) -> Chain:
        genesis = State(
            tokens={(t, s.address): RICH_UNITS for s in SELLERS for t in (TOKEN, WRONG_TOKEN)},
            coins={key.address: RICH_WEI for key in GAS_KEYS},
        )
        chain = Chain(Contracts(DOMAIN, (TOKEN, WRONG_TOKEN)), self.weather.finality, genesis)
        for _ in range(self.weather.finality):
            chain.mine()
        return chain

    @contextmanager
    def running(self) -> Iterator["Simulation"]:
        """Its processes live within this; nothing of them stays."""
        self.hall.empty()
        self.boundaries.counts.clear()
        self.boundaries.revive()
        for connections in self.hall.connections.values():
            connections.seed = self.chance.random()
        salts = Random(f"salts {self.seed}")
        threshold = self.weather.range_threshold_blocks
        with (
            patch.object(secrets, "randbits", salts.getrandbits),
            patch.object(watcher, "RANGE_THRESHOLD_BLOCKS", threshold),
        ):
            try:
                yield self
            finally:
                self.boundaries.disarm()

    @property
    def now(self) -> int:
        """The wall clock: not the chain's."""
        return self.truth.now + self.skew

    @property
    def sees_truth(self) -> bool:
        """Whether the nodes told all that they were asked for so far, if late."""
        return not any(line.counts[fault] for line in self.lines for fault in CONTENT)

    def note(self, text: str) -> None:
        self.history.append(f"{self.truth.head.number:>4} {text}")

    # Processes

    def pool(self) -> Pool:
        """Every node, each over its own line, asked in one thread."""
        nodes = [(f"node {n}", self.node(line)) for n, line in enumerate(self.lines)]
        self.chance.shuffle(nodes)
        return Pool(nodes, lambda: float(self.truth.now), Inline())

    def node(self, line: Line) -> Node:
        node = Node("http://node", "finalized")
        node.provider = InProcess(line, self.boundaries.passed)
        return node

    def account(self, index: int) -> Account:
        """A gas-paying key; as in production, it asks the first node that answers."""
        account = Account("http://node", DOMAIN.chain_id, GAS_KEYS[index], MAX_FEE_WEI)
        account.w3 = web3_over(
            *self.lines, boundary=self.boundaries.passed, clock=lambda: float(self.truth.now)
        )
        return account

    def build(self, name: str) -> Any:
        engine, pool = self.hall.engines[name], self.pool()
        if name in ("watcher", "rival"):
            return watcher_over(pool, engine, PLATFORM, 0, lambda: self.now)
        if name in SENDERS:
            account = self.account(SENDERS.index(name))
            return Sender(
                engine, DOMAIN.chain_id, account,
                partial(read_final_number, engine, DOMAIN.chain_id),
                lambda: self.now, DOMAIN.escrow,
            )  # fmt: skip
        return Keeper(engine, PLATFORM, self.cosigner(name), lambda: self.now)

    def cosigner(self, name: str) -> DirectCosigner:
        """The co-signer's own logic and reading, in the process that asks it."""
        world: Any = SimpleNamespace(
            engine=self.hall.engines[name], platform=PLATFORM, chain=Agreed(self.pool())
        )
        return DirectCosigner(world, CAP_UNITS)

    def step(self, name: str) -> bool:
        """One step of a process, which may die in it; False if it has to wait for something."""
        self.inside.append(name)
        try:
            if self.workers.get(name) is None:
                self.workers[name] = self.build(name)
            self.workers[name].step()
            self.note(f"{name} steps")
        except (ChainHalted, InvariantBroken) as alarm:
            self.note(f"{name} stops: {alarm}")
            self.halted = self.halted or str(alarm)
            self.bury(name)
        except OUTAGES as outage:
            self.note(f"{name} waits: {str(outage).splitlines()[0][:80]}")
            return False
        except EpochLost:
            self.note(f"{name} has lost its epoch")
            self.bury(name)
        except Killed:
            self.note(f"{name} is killed")
            self.bury(name)
        finally:
            self.inside.pop()
        return True

    def bury(self, name: str) -> None:
        self.workers[name] = None
        self.boundaries.revive()
        self.hall.connections[name].close()

    def close_database(self) -> None:
        """As a restart of the server does to its clients."""
        self.note("the database restarts")
        self.hall.end_others()

    def other_step(self) -> None:
        """Between two statements of one process, another does a whole step."""
        self.step(self.chance.choice([n for n in PROCESSES if n not in (*self.inside, "api")]))

    def interruptible(self, act: Callable[[], None]) -> None:
        """An act that may be interrupted at one of its boundaries."""
        if self.chance.random() < self.weather.interruption_rate:
            self.boundaries.arm(self.chance.choice(list(Interruption)), self.chance)
        try:
            act()
        finally:
            self.boundaries.disarm()

    # People

    def ask(self, what: str, act: Callable[[], Any]) -> Any:
        """A request to the API: granted, refused, or lost with the process."""
        self.inside.append("api")
        try:
            result = act()
            self.note(what)
        except Refused as refusal:
            self.note(f"{what}: refused, {refusal.code}")
        except OUTAGES as outage:
            self.note(f"{what}: fails, {type(outage).__name__}")
        except Killed:
            self.note(f"{what}: the API dies")
            self.bury("api")
        else:
            return result
        finally:
            self.inside.pop()
        return None

    def hand_in(self, row: Any, role: Role, units: int, until: int) -> None:
        """A party signs a settlement and hands it to the coordinator."""
        account = BY_ADDRESS[Terms.from_dict(row.terms).holder(role)]
        self.consents.add(Consent(row.id, role, units, until))
        self.ask(
            f"{role.label} signs {units} of {row.id[:8]}",
            lambda: self.sign_settlement(row.id, account, units, until),
        )

    def call(self, what: str, sender: str, to: str, data: bytes) -> None:
        """Somebody sends a transaction of their own; the next block has it."""
        self.note(what)
        self.truth.call(sender, to, data)

    def order_rows(self) -> list[Any]:
        """The orders, read past the coordinator's own code."""
        return self.hall.rows(
            "select id, status, seller, buyer, vault, terms, pay_by, fund_by, paid_at,"
            " amount_units::text from orders order by created_at, id"
        )
