"""A coordinator without its processes: real database, real services, a chain in memory.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from otc_sdk import messages
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from coordinator.db.ads import Ad
from coordinator.db.chain import Cursor
from coordinator.db.escrows import Escrow
from coordinator.db.intents import Intent
from coordinator.db.orders import Order, OrderLogEntry
from coordinator.db.session import transaction
from coordinator.db.settlements import Settlement
from coordinator.domain.ads import Offer, Side
from coordinator.domain.matching import Want
from coordinator.domain.platform import Platform
from coordinator.services import ads, disputes, order_log, orders, settlements, users
from coordinator.workers.watcher import Watcher
from tests.chain import account_of
from tests.fake_chain import Event, FakeChain, of_order, settled, transfer
from tests.watching import pool_of, watcher_over

UNIT = 10**6
AMOUNT = 100 * UNIT
TOTAL = 1_000 * UNIT
PARTIES = {role: account_of(role.label) for role in Role}
SELLER, BUYER, COORDINATOR, ARBITRATOR = (PARTIES[role] for role in Role)
STRANGER = account_of("stranger")
PLATFORM = Platform(
    domain=EscrowDomain(31337, account_of("escrow").address),
    token=account_of("token").address,
    token_symbol="USDT",
    token_decimals=6,
    coordinator=COORDINATOR.address,
    arbitrator=ARBITRATOR.address,
    fee_bps=50,
    fee_recipient=account_of("treasury").address,
    fund_by_seconds=900,
    refund_window_seconds=3600,
    ruling_window_seconds=86_400,
    final_window_seconds=86_400,
    default_buyer_bps=5000,
    payment_methods=frozenset({"sepa", "cash"}),
)
OFFER = Offer(
    side=Side.SELL,
    fiat="EUR",
    price=Decimal("0.93"),
    available_units=TOTAL,
    min_fiat_minor=1,
    max_fiat_minor=10**9,
    payment_methods=frozenset({"sepa"}),
    pay_by_seconds=900,
    maker=SELLER.address,
)
WANT = Want(
    taker=BUYER.address,
    side=Side.BUY,
    fiat="EUR",
    payment_method="sepa",
    amount_units=AMOUNT,
    fiat_amount_minor=None,
    worst_price=None,
)


class World:
    """What people, the chain and time do, in one call each; and what the books then say."""

    def __init__(self, engine: Engine, platform: Platform = PLATFORM) -> None:
        self.engine, self.platform = engine, platform
        self.chain = FakeChain(chain_id=platform.domain.chain_id)
        self.watcher = watcher_of(self)

    @property
    def now(self) -> int:
        return self.chain.now

    # People

    def post_ad(self, **changes: Any) -> int:
        offer = replace(OFFER, **changes)
        with transaction(self.engine) as session:
            users.ensure_user(session, offer.maker, self.now)
            return ads.post(session, self.platform, offer, "IBAN 1", self.now).id or 0

    def place(self, ad_id: int | None = None, **changes: Any) -> str:
        with transaction(self.engine) as session:
            want = replace(WANT, **changes)
            return orders.place(session, self.platform, want, ad_id, self.now).id

    def sign_terms(self, order_id: str, *by: LocalAccount) -> None:
        for account in by or (SELLER, BUYER):
            signature = messages.sign(account, self.terms(order_id).signable(self.platform.domain))
            with transaction(self.engine) as session:
                orders.sign_terms(
                    session, self.platform, order_id, account.address, signature, self.now,
                    self.chain.verify_1271,
                )  # fmt: skip

    def withdraw(self, order_id: str, by: LocalAccount = BUYER) -> None:
        with transaction(self.engine) as session:
            orders.withdraw(session, order_id, by.address, self.now)

    def mark_paid(self, order_id: str, by: LocalAccount = BUYER, signer: Any = None) -> None:
        signature = messages.sign(signer or by, self.dispute_message(order_id))
        with transaction(self.engine) as session:
            orders.mark_paid(
                session, self.platform, order_id, by.address, "transfer 1", signature, self.now,
                self.chain.verify_1271,
            )  # fmt: skip

    def open_dispute(self, order_id: str, by: LocalAccount = BUYER, signer: Any = None) -> None:
        signature = messages.sign(signer or by, self.dispute_message(order_id))
        with transaction(self.engine) as session:
            disputes.open_dispute(
                session, self.platform, order_id, by.address, signature, "not paid", self.now,
                self.chain.verify_1271,
            )  # fmt: skip

    def settlement_signature(
        self, order_id: str, by: LocalAccount, to_buyer_units: int, valid_until: int
    ) -> bytes:
        message = messages.settlement(
            self.platform.domain, bytes.fromhex(order_id[2:]), to_buyer_units, valid_until
        )
        return messages.sign(by, message)

    def sign_settlement(
        self,
        order_id: str,
        by: LocalAccount,
        to_buyer_units: int,
        valid_until: int | None = None,
        signature: bytes | None = None,
    ) -> Settlement:
        until = valid_until or self.now + 3600
        if signature is None:
            signature = self.settlement_signature(order_id, by, to_buyer_units, until)
        with transaction(self.engine) as session:
            return settlements.add_signature(
                session, self.platform, order_id, by.address, to_buyer_units, until, signature,
                self.now, self.chain.verify_1271,
            )  # fmt: skip

    # Chain and time

    def read(self) -> None:
        """The watcher reads all there is."""
        while self.watcher.step():
            pass

    def mine(self, *events: Event, at: int | None = None, final: bool = True) -> None:
        """A block, read at once."""
        self.chain.mine(*events, at=at)
        if final:
            self.chain.finalize()
        self.read()

    def deposit(self, order_id: str, units: int = AMOUNT, token: str | None = None) -> Event:
        return transfer(
            token or self.platform.token, SELLER.address, self.order(order_id).vault, units
        )

    def event(self, name: str, order_id: str) -> Event:
        return of_order(name, self.platform.domain.escrow, order_id)

    def settled(self, order_id: str, to_buyer_units: int) -> Event:
        return settled(self.platform.domain.escrow, order_id, to_buyer_units)

    def expire(self) -> int:
        with transaction(self.engine) as session:
            return orders.expire_due(session, self.platform, self.now, 100)

    # Whole stretches of an order's life

    def funded(self, ad_id: int | None = None) -> str:
        """An order whose buyer may pay."""
        order_id = self.place(ad_id or self.post_ad())
        self.sign_terms(order_id)
        self.mine(self.deposit(order_id))
        return order_id

    def paid(self) -> str:
        order_id = self.funded()
        self.mark_paid(order_id)
        return order_id

    # The books

    def get(self, table: Any, key: Any) -> Any:
        with Session(self.engine) as session:
            return session.get_one(table, key)

    def order(self, order_id: str) -> Order:
        found: Order = self.get(Order, order_id)
        return found

    def status(self, order_id: str) -> str:
        return self.order(order_id).status

    def escrow(self, order_id: str) -> Escrow:
        found: Escrow = self.get(Escrow, order_id)
        return found

    def available(self, ad_id: int) -> int:
        found: Ad = self.get(Ad, ad_id)
        return found.available_units

    def cursor(self) -> Cursor:
        found: Cursor = self.get(Cursor, self.platform.domain.chain_id)
        return found

    def terms(self, order_id: str) -> Terms:
        return Terms.from_dict(self.order(order_id).terms)

    def dispute_message(self, order_id: str) -> Any:
        return messages.dispute(self.platform.domain, bytes.fromhex(order_id[2:]))

    def log(self, order_id: str) -> list[OrderLogEntry]:
        """The order's log, whose chain of hashes is checked by reading it."""
        with Session(self.engine) as session:
            return order_log.read(session, order_id)

    def events(self, order_id: str) -> list[str]:
        return [entry.event for entry in self.log(order_id)]

    def intents(self) -> list[Intent]:
        with Session(self.engine) as session:
            return list(session.exec(select(Intent).order_by(col(Intent.id))).all())

    def all(self, table: Any) -> list[Any]:
        with Session(self.engine) as session:
            return list(session.exec(select(table)).all())


def watcher_of(world: World) -> Watcher:
    """A new one; the old one's process has died."""
    if hasattr(world, "watcher"):
        world.watcher.lock.release()
    pool = pool_of(world.chain)
    return watcher_over(pool, world.engine, world.platform, 0, lambda: world.now)


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    made = World(engine)
    try:
        yield made
    finally:
        made.watcher.lock.release()
