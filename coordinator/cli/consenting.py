"""The coordinator's consent to a claim at another address: what a person sees and signs."""

from typing import TYPE_CHECKING

from otc_sdk import messages
from otc_sdk.chain import claim_of, connect
from otc_sdk.deployment import node_errors
from otc_sdk.terms import ZERO_ADDRESS

from coordinator.bootstrap.cosigner import build_books, build_key, build_policy
from coordinator.cli.session import Refused, latest, propose
from coordinator.cli.sign import DAY_SECONDS
from coordinator.cli.words import amount, moment
from coordinator.db.session import transaction
from coordinator.services import halting
from coordinator.services.cosigner_switch import lock, require_reason, require_running
from coordinator.services.cosigning import require_terms

if TYPE_CHECKING:
    from otc_sdk.order import Order

    from coordinator.settings import Settings


def propose_consent(
    settings: "Settings", order: "Order", owner: str, to: str, valid_days: int
) -> int:
    """Show what would be signed; returns until when it counts. Raises Refused if it is no use."""
    if to in (ZERO_ADDRESS, owner, order.vault, order.domain.escrow, order.terms.token):
        raise Refused(f"a claim of {owner} sent to {to} would be lost, or not moved")
    w3 = connect(settings.rpc_url, settings.chain_id)
    with node_errors():
        units = claim_of(w3, order.domain, order.id_bytes, owner)
        now = latest(int(w3.eth.get_block("latest")["timestamp"]))
    if not units:
        raise Refused(f"order {order.id} owes {owner} nothing")
    until = now + valid_days * DAY_SECONDS
    rows = {
        "claim": amount(order, units),
        "of": owner,
        "to": to,
        "order": order.id,
        "valid until": moment(until, now),
    }
    propose("You sign, as the coordinator", rows)
    return until


def sign_consent(
    settings: "Settings", order: "Order", owner: str, to: str, until: int, why: str
) -> str:
    """The signature, by this machine's key.

    Raises Forbidden for terms that are not this platform's, Invalid without a reason, KeyDown, and
    while it is stopped Later, or ChainHalted.
    """
    require_reason(why)
    key, policy = build_key(settings), build_policy(settings)
    if order.domain != policy.domain:
        raise Refused(f"order {order.id} is not of this co-signer's escrow and chain")
    require_terms(policy, key, order.terms)
    message = messages.claim_to(order.domain, order.id_bytes, owner, to, until)
    engine = build_books(settings)
    try:
        with transaction(engine) as session:
            lock(session)
            require_running(session, policy.local_stop)
            halting.require_running(session, settings.chain_id)
            return "0x" + key.sign(message).hex()
    finally:
        engine.dispose()
