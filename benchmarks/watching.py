"""How fast the watcher takes a chain's history into PostgreSQL, and how soon it shows what is new.

    python benchmarks/watching.py           measures and writes results/watching.json
    python benchmarks/watching.py --short   a tenth of it, printed only

Orders are funded and settled by real transactions on a local chain. Two bare loops, which fetch and
decode and keep nothing, read the same logs: web3's, of which the watcher is to make at least half,
and our own reader's, which shows what keeping costs.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import Terms, vault_address
from sqlalchemy import Engine, func
from sqlmodel import col, select

from benchmarks.machine import machine
from benchmarks.workers import await_true, environment, workers
from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.nodes import Agreed, Pool, Ranked
from coordinator.adapters.chain.witnesses import NodeWitnesses
from coordinator.db.chain import Cursor, Log
from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order
from coordinator.db.session import transaction
from coordinator.domain.chain_logs import decode
from coordinator.domain.orders import OrderStatus
from coordinator.services import ads, orders, reconciliation, users
from coordinator.workers.watcher import RANGE_THRESHOLD_BLOCKS, Watcher
from scripts.compile import ROOT
from tests.chain import TOKEN_SUPPLY_UNITS, Anvil, account_of
from tests.database import running_server
from tests.world import OFFER, PLATFORM, UNIT, WANT

RESULTS = Path(__file__).parent / "results" / "watching.json"
MULTI_SEND = ROOT / (
    "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts/libraries/"
    "MultiSendCallOnly.sol/MultiSendCallOnly.json"
)
ORDERS = 4_000
ORDERS_PER_TRADER = 100
TRANSFERS_PER_TRANSACTION = 200
SETTLEMENTS_PER_TRANSACTION = 40
FINAL_AFTER_BLOCKS = 2
VAULTS_IN_MEMORY = 100_000
NEW_BLOCKS = 100
AMOUNT = 10 * UNIT
# Seller, buyer and what they agreed on.
Placed = tuple[LocalAccount, LocalAccount, Terms]


class Bench:
    """A chain with the history of many orders, and the books of their coordinator."""

    def __init__(self, anvil: Anvil, engine: Engine) -> None:
        self.anvil, self.engine = anvil, engine
        self.url = str(anvil.w3.provider.endpoint_uri)  # type: ignore[attr-defined]
        self.gas = anvil.funded_account("gas")
        self.platform = replace(
            PLATFORM, domain=anvil.deploy_escrow(), token=anvil.deploy_token(self.gas)
        )
        self.start = anvil.w3.eth.block_number

    def now(self) -> int:
        return self.anvil.now()

    def node(self) -> Node:
        return Node(self.url, str(FINAL_AFTER_BLOCKS))

    def watcher(self) -> Watcher:
        pool = Pool([("anvil", self.node())])
        return Watcher(
            self.engine, self.platform, Ranked(pool), Agreed(pool), NodeWitnesses(pool),
            self.start, self.now,
        )  # fmt: skip

    # A history

    def place(self, count: int) -> list[Placed]:
        placed: list[Placed] = []
        for group in range(-(-count // ORDERS_PER_TRADER)):
            seller, buyer = account_of(f"seller {group}"), account_of(f"buyer {group}")
            with transaction(self.engine) as session:
                users.ensure_user(session, seller.address, self.now())
                total = ORDERS_PER_TRADER * AMOUNT
                offer = replace(OFFER, maker=seller.address, available_units=total)
                ad = ads.post(session, self.platform, offer, "", self.now()).id
            for _ in range(min(ORDERS_PER_TRADER, count - len(placed))):
                with transaction(self.engine) as session:
                    want = replace(WANT, taker=buyer.address, amount_units=AMOUNT)
                    order = orders.place(session, self.platform, want, ad, self.now())
                    placed.append((seller, buyer, Terms.from_dict(order.terms)))
        return placed

    def sign(self, seller: LocalAccount, buyer: LocalAccount, terms: Terms) -> None:
        """Both sign the terms, so that the deposit lets the buyer pay."""
        message, verify = terms.signable(self.platform.domain), self.node().verify_1271
        for trader in (seller, buyer):
            signature = messages.sign(trader, message)
            with transaction(self.engine) as session:
                orders.sign_terms(
                    session, self.platform, self.order_id(terms), trader.address, signature,
                    self.now(), verify,
                )  # fmt: skip

    def order_id(self, terms: Terms) -> str:
        return "0x" + terms.order_id(self.platform.domain).hex()

    def fund(self, placed: list[Placed]) -> None:
        """Through Safe's MultiSendCallOnly, which holds the tokens: many transfers at once."""
        code = bytes.fromhex(json.loads(MULTI_SEND.read_text())["bytecode"][2:])
        sender = str(self.anvil.send(self.gas, None, code)["contractAddress"])
        supply = calls.transfer(sender, TOKEN_SUPPLY_UNITS // 2)
        self.anvil.send(self.gas, self.platform.token, supply)
        for some in chunks(placed, TRANSFERS_PER_TRANSACTION):
            packed = b"".join(self.packed(self.vault(terms)) for _, _, terms in some)
            self.anvil.send(self.gas, sender, calls.call("multiSend(bytes)", packed))

    def vault(self, terms: Terms) -> str:
        return vault_address(self.platform.domain, terms.order_id(self.platform.domain))

    def packed(self, vault: str) -> bytes:
        data = calls.transfer(vault, AMOUNT)
        token = bytes.fromhex(self.platform.token[2:])
        return b"\0" + token + bytes(32) + len(data).to_bytes(32, "big") + data

    def settle(self, placed: list[Placed]) -> None:
        until = self.now() + 86_400
        for some in chunks(placed, SETTLEMENTS_PER_TRANSACTION):
            items = [(terms, AMOUNT, until, self.both(one, terms, until)) for *one, terms in some]
            self.anvil.send(self.gas, self.platform.domain.escrow, calls.settle_batch(items))

    def both(self, traders: list[LocalAccount], terms: Terms, until: int) -> calls.Signatures:
        message = messages.settlement(
            self.platform.domain, terms.order_id(self.platform.domain), AMOUNT, until
        )
        seller, buyer = (messages.compact(messages.sign(trader, message)) for trader in traders)
        return {Role.SELLER: seller, Role.BUYER: buyer}

    # What is measured

    def bare_web3(self) -> dict[str, float]:
        """The usual loop, and the goal's: web3 fetches and decodes, nothing is kept."""
        eth, last = self.anvil.w3.eth, self.anvil.w3.eth.block_number
        token = eth.contract(
            to_checksum_address(self.platform.token), abi=load("TetherMock")["abi"]
        )
        escrow_address = to_checksum_address(self.platform.domain.escrow)
        escrow = eth.contract(escrow_address, abi=load("Escrow")["abi"])
        begun, found = time.perf_counter(), 0
        for event in (token.events["Transfer"](), escrow.events["Settled"]()):
            found += len(event.get_logs(from_block=self.start, to_block=last))
        return rate(found, begun)

    def bare_reader(self) -> dict[str, float]:
        """Our own node and decoder, nothing is kept: the most that the watcher could do."""
        node, escrow = self.node(), self.platform.domain.escrow
        last = node.head().number
        begun = time.perf_counter()
        logs = node.logs_in_range(self.start, last, [], escrow)
        logs += node.logs_in_range(self.start, last, [], self.platform.token)
        found = sum(1 for e in logs if decode(escrow, e.address, e.topics, e.data))
        return rate(found, begun)

    def backfill(self, count: int) -> dict[str, float]:
        """The watcher, from nothing to the last final range; comparing with the chain is apart."""
        watcher = self.watcher()
        reach = self.node().final_head().number
        begun = time.perf_counter()
        while watcher.cursor().final_number < reach:
            watcher.take_range(watcher.cursor(), reach)
        with transaction(self.engine) as session:
            figures = rate(session.exec(select(func.count(col(Log.id)))).one(), begun)
            ended = session.exec(select(func.count()).where(Order.status == "completed")).one()
        watcher.lock.release()
        if ended != count:
            raise RuntimeError(f"{ended} of {count} orders are completed")
        return figures

    def new_blocks(self, count: int) -> dict[str, float]:
        """How long the watcher works from a deposit's block until the books show it, and from the
        block that makes it final until its order has the next status: the buyer may pay.

        Whole steps; the node's answers are in it, the waits between polls are not.
        """
        watcher = self.watcher()
        run_out(watcher)
        self.compare_all(watcher)
        placed = self.place(count)
        for order in placed:
            self.sign(*order)
        seen, payable = [], []
        for _, _, terms in placed:
            deposit = calls.transfer(self.vault(terms), AMOUNT)
            self.anvil.send(self.gas, self.platform.token, deposit)
            seen.append(timed(watcher))
            self.require(terms, OrderStatus.PENDING)
            self.anvil.rpc("anvil_mine", hex(FINAL_AFTER_BLOCKS))
            payable.append(timed(watcher))
            self.require(terms, OrderStatus.AWAITING_PAYMENT)
        watcher.lock.release()
        return {
            **percentiles("block_to_seen_ms", seen),
            **percentiles("final_to_next_status_ms", payable),
        }

    def compare_all(self, watcher: Watcher) -> None:
        """What the backfill changed; a new order would wait behind it."""
        while self.is_any_due():
            watcher.reconcile()

    def is_any_due(self) -> bool:
        with transaction(self.engine) as session:
            return bool(reconciliation.due(session, self.platform.domain.chain_id, self.now(), 1))

    def require(self, terms: Terms, status: OrderStatus) -> None:
        """Raise RuntimeError unless the books have the whole deposit, and this status."""
        order_id = self.order_id(terms)
        with transaction(self.engine) as session:
            found = session.get_one(Order, order_id).status
            units = session.get_one(Escrow, order_id).seen_units
        if (found, units) != (status, AMOUNT):
            raise RuntimeError(f"{order_id} is {found} with {units} units, not {status}")

    def memory(self, vaults: int, empty: Engine) -> dict[str, float]:
        """Peaks of the watcher's own process: with no order, and with so many vaults to watch.

        Both read the same blocks, which hold a deposit each into a vault of the second.
        """
        with transaction(self.engine) as session:
            have = session.exec(select(func.count()).select_from(Order)).one()
            session.connection().exec_driver_sql(MORE_ORDERS, (vaults - have,))
            waiting = select(Order.vault).where(Order.status == OrderStatus.AWAITING_PAYMENT)
            into = session.exec(waiting).all()
        first = self.anvil.w3.eth.block_number
        for vault in into:
            self.anvil.send(self.gas, self.platform.token, calls.transfer(vault, AMOUNT))
        self.anvil.rpc("anvil_mine", hex(RANGE_THRESHOLD_BLOCKS + FINAL_AFTER_BLOCKS + 1))
        base, peak = (self.peak_mib(books, first) for books in (empty, self.engine))
        with transaction(self.engine) as session:
            twice = select(func.count()).where(Escrow.seen_units == 2 * AMOUNT)
            if session.exec(twice).one() != len(into):
                raise RuntimeError(f"not all of {len(into)} deposits were read")
        return {
            "vaults": vaults,
            "blocks": self.anvil.w3.eth.block_number - first,
            "base_mib": base,
            "peak_mib": peak,
        }

    def peak_mib(self, books: Engine, first: int) -> int:
        """Of a new watcher that has read all there is into these books, from block `first` on."""
        url = books.url.render_as_string(hide_password=False)
        settings = environment(self.platform, url, self.url, FINAL_AFTER_BLOCKS)
        with workers({**settings, "OTC_START_BLOCK": str(first)}, "watcher") as [pid]:
            await_true("the watcher does not come to the head", lambda: self.is_read(books))
            return high_water_mib(pid)

    def is_read(self, books: Engine) -> bool:
        head = self.anvil.w3.eth.block_number
        with transaction(books) as session:
            cursor = session.get(Cursor, self.platform.domain.chain_id)
            if cursor is None or cursor.number < head:
                return False
            return cursor.final_number == head - FINAL_AFTER_BLOCKS


# Copies of one order with ids and vaults of their own: only those are looked at.
MORE_ORDERS = """
    with template as (select * from orders limit 1), number as (
        select '0x' || lpad(to_hex(n), 64, '0') as id, '0x' || lpad(to_hex(n), 40, '0') as vault
        from generate_series(1, %s) n
    )
    insert into orders
    select (jsonb_populate_record(null::orders, to_jsonb(t) || jsonb_build_object(
        'id', n.id, 'vault', n.vault, 'status', 'expired'))).*
    from template t, number n
"""


def run_out(watcher: Watcher) -> None:
    while watcher.step():
        pass


def high_water_mib(pid: int) -> int:
    """The most memory that a process ever had resident.

    Not getrusage's: that of a child begins at what its parent had when it was made.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) >> 10


def timed(watcher: Watcher) -> float:
    """Milliseconds in which the watcher does what there is to do."""
    begun = time.perf_counter()
    run_out(watcher)
    return 1000 * (time.perf_counter() - begun)


def rate(events: int, begun: float) -> dict[str, float]:
    seconds = time.perf_counter() - begun
    return {"events": events, "seconds": round(seconds, 2), "per_second": round(events / seconds)}


def percentiles(name: str, values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        f"{name}_p50": round(ordered[len(ordered) // 2], 1),
        f"{name}_p99": round(ordered[int(len(ordered) * 0.99)], 1),
    }


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


@contextmanager
def databases() -> Iterator[Callable[[], Engine]]:
    """Makes fresh databases, on a server of their own."""
    with running_server() as server, ExitStack() as stack:

        def made() -> Engine:
            engine = server.connect(server.create())
            stack.callback(engine.dispose)
            return engine

        yield made


def measure(count: int, blocks: int, vaults: int) -> dict[str, Any]:
    anvil = Anvil().start()
    try:
        with databases() as made:
            bench = Bench(anvil, made())
            say(f"{count} orders: placing, funding, settling")
            placed = bench.place(count)
            bench.fund(placed)
            bench.settle(placed)
            anvil.rpc("anvil_mine", hex(RANGE_THRESHOLD_BLOCKS + FINAL_AFTER_BLOCKS + 1))
            say("reading them: web3 alone, our reader alone, the watcher")
            figures: dict[str, Any] = {"bare_web3": bench.bare_web3()}
            figures["bare_reader"] = bench.bare_reader()
            figures["backfill"] = bench.backfill(count)
            figures["backfill_of_bare_web3"] = ratio(figures, "bare_web3")
            figures["backfill_of_bare_reader"] = ratio(figures, "bare_reader")
            say(f"{blocks} new deposits, one after the other")
            figures["latency"] = bench.new_blocks(blocks)
            say(f"{vaults} vaults watched")
            figures["memory"] = bench.memory(vaults, made())
            return figures
    finally:
        anvil.stop()


def ratio(figures: dict[str, Any], of: str) -> float:
    return float(round(figures["backfill"]["per_second"] / figures[of]["per_second"], 2))


def say(text: str) -> None:
    print(text, file=sys.stderr)


def main() -> None:
    short = "--short" in sys.argv[1:]
    scale = 10 if short else 1
    figures = {
        "command": "python benchmarks/watching.py",
        "machine": machine(),
        "targets": {
            "backfill_per_second": 5000,
            "backfill_of_bare_web3": 0.5,
            "block_to_seen_ms_p99": 500,
            "final_to_next_status_ms_p99": 1000,
        },
        **measure(ORDERS // scale, NEW_BLOCKS // scale, VAULTS_IN_MEMORY // scale),
    }
    text = json.dumps(figures, indent=2) + "\n"
    print(text, end="")
    if not short:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
