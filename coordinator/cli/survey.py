"""Looking at a coordinator from outside: its books, its chain's node, its co-signer, its coins."""

import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import httpx
from otc_sdk import keystore
from otc_sdk.errors import KeystoreError, OtcError

from coordinator.adapters.chain.coins import Coins, read_coins
from coordinator.adapters.chain.nodes import Ranked
from coordinator.bootstrap.database import build_engine
from coordinator.bootstrap.nodes import build_pool
from coordinator.db.migrate import schema_fault
from coordinator.db.session import DatabaseDown, transaction
from coordinator.domain.health import Fault, coins_fault, found, lag_seconds
from coordinator.services import status
from coordinator.services.ports import Header, NodeDown
from coordinator.services.status import Status

if TYPE_CHECKING:
    from coordinator.settings import Settings

COSIGNER_TIMEOUT_SECONDS = 5


class CannotTell(OtcError):
    """The books cannot be read, so nothing can be said."""


@dataclass(frozen=True)
class Survey:
    """What was found. `head` and `final` are the node's own; None if it does not answer."""

    at: int
    max_lag_seconds: int
    database: str
    books: Status
    head: Header | None
    final: Header | None
    senders: list[Coins]
    cosigner: str
    faults: list[Fault]

    @property
    def healthy(self) -> bool:
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """As JSON; amounts of wei are decimal text, since they pass what JavaScript holds."""
        books, cursor = self.books, self.books.cursor
        return {
            "healthy": self.healthy,
            "faults": [asdict(fault) for fault in self.faults],
            "at": self.at,
            "database": self.database,
            "chain": {
                "chain_id": books.chain_id,
                "head": self.head.number if self.head else None,
                "final": self.final.number if self.final else None,
                "read": cursor.number if cursor else None,
                "read_final": cursor.final_number if cursor else None,
                "lag_blocks": self.lag_blocks,
                "lag_seconds": lag_seconds(cursor.time, self.at) if cursor else None,
                "halted": cursor.halted if cursor else None,
            },
            "nodes": [node.model_dump() for node in books.nodes],
            "orders": books.orders,
            "differing": books.differing,
            "settlements": {"by_status": books.settlements, "waiting_for": books.waiting},
            "intents": {
                "by_status": books.intents,
                "oldest_seconds": books.oldest_intent_seconds,
                "stuck_count": books.stuck_count,
                "stuck": [asdict(intent) for intent in books.stuck],
                "gas_saved_of_day": books.gas_saved_of_day,
            },
            "senders": [
                {"address": s.address, "balance_wei": str(s.balance_wei), "nonce": s.nonce}
                for s in self.senders
            ],
            "cosigner": self.cosigner,
        }

    @property
    def lag_blocks(self) -> int | None:
        if self.head is None or self.books.cursor is None:
            return None
        return max(0, self.head.number - self.books.cursor.number)


def survey(settings: "Settings") -> Survey:
    """Look at everything. Raises CannotTell if the database cannot be read."""
    now = int(time.time())
    books, database = read_books(settings, now)
    faults = status.faults(books, now, settings.max_lag_seconds)
    head, final, senders = None, None, []
    try:
        node = Ranked(build_pool(settings))
        head, final = node.head(), node.final_head()
        senders = [read_coins(settings.rpc_url, one) for one in sender_addresses(settings, books)]
    except (NodeDown, OtcError) as error:
        faults.append(Fault("chain", str(error)))
    faults += found(coins_fault(s.address, s.balance_wei, settings.max_fee_wei) for s in senders)
    cosigner, fault = ask_cosigner(settings)
    faults += found([fault])
    return Survey(
        at=now,
        max_lag_seconds=settings.max_lag_seconds,
        database=database,
        books=books,
        head=head,
        final=final,
        senders=senders,
        cosigner=cosigner,
        faults=faults,
    )


def read_books(settings: "Settings", now: int) -> tuple[Status, str]:
    """(what the books say, the database's public name)."""
    try:
        engine = build_engine(settings)
    except DatabaseDown as error:
        raise CannotTell(str(error)) from error
    try:
        with transaction(engine) as session:
            fault = schema_fault(session.connection())
            if fault is not None:
                raise CannotTell(fault)
            name = engine.url.render_as_string(hide_password=True)
            return status.read(session, settings.chain_id, now), name
    finally:
        engine.dispose()


def sender_addresses(settings: "Settings", books: Status) -> list[str]:
    """Who has sent, and who would: a keystore names its address without its password."""
    addresses = set(books.senders)
    for path in filter(None, [settings.sender_keystore, *settings.sender_keystores]):
        with suppress(KeystoreError):  # of another machine: the books name it once it works
            addresses.add(keystore.public_address(path))
    return sorted(addresses)


def ask_cosigner(settings: "Settings") -> tuple[str, Fault | None]:
    """(its state in words, what is wrong with it)."""
    try:
        answer = httpx.get(
            f"{settings.cosigner_url}/health", timeout=COSIGNER_TIMEOUT_SECONDS, trust_env=False
        )
        health = answer.json()
        address, stopped = str(health["address"]), health["stopped"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        words = f"the co-signer does not answer: {type(error).__name__}"
        return "unreachable", Fault("cosigner", words)
    if address.lower() != settings.coordinator.lower():
        words = f"the co-signer's key is {address}, the settings say {settings.coordinator}"
        return "another key", Fault("cosigner", words)
    if stopped is not None:
        return "stopped", Fault("cosigner", f"co-signing is stopped: {stopped}")
    return "reachable", None
