"""A co-signer with orders before it, without its process.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from eth_account.messages import SignableMessage
from otc_sdk import messages
from otc_sdk.terms import Terms, vault_address
from sqlalchemy import Engine
from sqlmodel import Session, select

from coordinator.db.cosigning import Cosignature
from coordinator.domain.cosigning import WINDOWS, Limit
from coordinator.services.cosigning import CosignPolicy, cosign
from coordinator.services.ports import CosignRequest, Key, KeyDown
from tests.chain import account_of
from tests.fake_chain import FakeChain, transfer
from tests.world import AMOUNT, ARBITRATOR, BUYER, COORDINATOR, PLATFORM, SELLER

HOUR = 3600
MANY = 10**6
SPENDER = account_of("spender").address
STRANGER = account_of("stranger").address


class MemoryKey:
    """The co-signing key, in memory."""

    address = COORDINATOR.address

    def sign(self, message: SignableMessage) -> bytes:
        return messages.sign(COORDINATOR, message)


class BrokenKey(MemoryKey):
    def sign(self, message: SignableMessage) -> bytes:  # noqa: ARG002
        raise KeyDown("no answer")


@dataclass
class Desk:
    """A co-signer with a funded order before it."""

    engine: Engine
    chain: FakeChain
    policy: CosignPolicy
    key: Key = field(default_factory=MemoryKey)

    @classmethod
    def open(cls, engine: Engine) -> "Desk":
        """Without any limit but of an order."""
        policy = CosignPolicy(
            PLATFORM.domain,
            PLATFORM.token,
            PLATFORM.fee_recipient,
            order_units=AMOUNT,
            limits=(),
            local_stop=lambda: None,
        )
        return cls(engine, FakeChain(), policy)

    def terms(self, salt: int = 1, **changes: Any) -> Terms:
        made = Terms(
            token=PLATFORM.token, amount_units=AMOUNT, fee_units=100,
            fee_recipient=PLATFORM.fee_recipient, seller=SELLER.address, buyer=BUYER.address,
            coordinator=COORDINATOR.address, arbitrator=ARBITRATOR.address,
            pay_by=self.chain.now + HOUR, refund_window_seconds=HOUR, ruling_window_seconds=HOUR,
            final_window_seconds=HOUR, default_buyer_bps=5000, salt=salt,
        )  # fmt: skip
        return replace(made, **changes)

    def vault(self, terms: Terms) -> str:
        return vault_address(PLATFORM.domain, terms.order_id(PLATFORM.domain))

    def fund(self, terms: Terms, units: int = AMOUNT, final: bool = True) -> None:
        self.chain.mine(transfer(terms.token, SELLER.address, self.vault(terms), units))
        if final:
            self.chain.finalize()

    def request(
        self, terms: Terms, units: int = AMOUNT, until: int | None = None, signer: Any = None
    ) -> CosignRequest:
        valid_until = self.chain.now + HOUR if until is None else until
        giver = signer or (BUYER if units == 0 else SELLER)
        order_id = terms.order_id(PLATFORM.domain)
        message = messages.settlement(PLATFORM.domain, order_id, units, valid_until)
        signature = "0x" + messages.sign(giver, message).hex()
        return CosignRequest(terms.to_dict(), units, valid_until, signature)

    def cosign(self, request: CosignRequest) -> str:
        return cosign(self.engine, self.policy, self.chain, self.key, request)

    def limit(self, name: str, units: int = MANY * AMOUNT, orders: int = MANY) -> None:
        """Let this be the only limit."""
        [(seconds, each)] = [(seconds, each) for n, seconds, each in WINDOWS if n == name]
        self.policy = replace(self.policy, limits=(Limit(name, seconds, each, units, orders),))

    def rows(self) -> list[Cosignature]:
        with Session(self.engine) as session:
            return list(session.exec(select(Cosignature)).all())
