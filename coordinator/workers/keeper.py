"""What time and the co-signer bring about: expiries, co-signatures."""

from collections.abc import Callable

import structlog
from otc_sdk import messages
from otc_sdk.terms import Terms, digest
from sqlalchemy import Engine

from coordinator.db.session import transaction
from coordinator.domain.platform import Platform
from coordinator.services import disputes, halting, orders, settlements
from coordinator.services.ports import Cosigner, CosignRefused, CosignRequest, NodeDown

log = structlog.get_logger()
MAX_PER_STEP = 50
# Then what is new meanwhile goes before what waits: a signer's contract can take its time.
MAX_ASKING_SECONDS = 5


class Keeper:
    def __init__(
        self, engine: Engine, platform: Platform, cosigner: Cosigner, now: Callable[[], int]
    ) -> None:
        self.engine, self.platform, self.cosigner, self.now = engine, platform, cosigner, now

    def step(self) -> bool:
        with transaction(self.engine) as session:
            expired = orders.expire_due(session, self.platform, self.now(), MAX_PER_STEP)
        with transaction(self.engine) as session:
            disputes.watch_due(session, self.platform, self.now(), MAX_PER_STEP)
        self.settle()
        return expired == MAX_PER_STEP

    def settle(self) -> None:
        """Whatever leads to a payout; nothing while the chain is halted."""
        if self.is_halted():
            return
        with transaction(self.engine) as session:
            settlements.advance_due(session, self.platform, self.now(), MAX_PER_STEP)
        with transaction(self.engine) as session:
            settlements.send_defaults(session, self.platform, self.now(), MAX_PER_STEP)
        with transaction(self.engine) as session:
            waiting = settlements.waiting_for_cosigner(session, self.platform, MAX_PER_STEP)
        until = self.now() + MAX_ASKING_SECONDS
        for settlement_id, request in waiting:
            if self.is_halted() or self.now() > until:
                return
            try:
                self.cosign(settlement_id, request)
            except NodeDown as error:  # one settlement's signer must not hold up the others
                order_id = self.order_id(request)
                log.warning("cosign waits", order_id=order_id, error=str(error))
                with transaction(self.engine) as session:
                    settlements.cosign_waits(session, settlement_id, self.now())

    def order_id(self, request: CosignRequest) -> str:
        return "0x" + Terms.from_dict(request.terms).order_id(self.platform.domain).hex()

    def is_halted(self) -> bool:
        with transaction(self.engine) as session:
            return halting.halted(session, self.platform.domain.chain_id) is not None

    def cosign(self, settlement_id: int, request: CosignRequest) -> None:
        try:
            signature = self.cosigner.cosign(request)
        except CosignRefused as refusal:
            log.warning("cosign refused", order_id=self.order_id(request), reason=str(refusal))
            with transaction(self.engine) as session:
                settlements.cosign_refused(session, settlement_id, str(refusal), self.now())
            return
        signed = self.checked(signature, request)
        with transaction(self.engine) as session:
            settlements.cosigned(session, self.platform, settlement_id, signed, self.now())

    def checked(self, signature: str, request: CosignRequest) -> bytes:
        """Raise NodeDown for another key's signature, or of other words: the chain refuses it."""
        terms = Terms.from_dict(request.terms)
        domain, signed = self.platform.domain, bytes.fromhex(signature[2:])
        order_id = terms.order_id(domain)
        message = messages.settlement(domain, order_id, request.to_buyer_units, request.valid_until)
        if messages.recover(digest(message), signed) != terms.coordinator:
            raise NodeDown(f"the co-signer's signature is not that of {terms.coordinator}")
        return signed
