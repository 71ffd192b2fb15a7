"""Bringing disputes on chain: at a trader's word, or as the watchtower of a buyer who paid."""

from contextlib import suppress

from otc_sdk import calls, messages
from otc_sdk.messages import Verify1271
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from sqlmodel import Session, col, func, select

from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order, OrderSignature
from coordinator.domain.errors import Conflict
from coordinator.domain.orders import Actor
from coordinator.domain.platform import Platform
from coordinator.services import clock, intents
from coordinator.services.order_log import append
from coordinator.services.orders import (
    ACTORS,
    find,
    keep_signature,
    kept_signature,
    lock,
    require_signature,
    require_trader,
)

# By the final chain.
UNDECIDED = col(Escrow.final_disputed_at) == 0, col(Escrow.final_settled_tx) == ""


def open_dispute(
    session: Session,
    platform: Platform,
    order_id: str,
    address: str,
    signature: bytes,
    reason: str,
    now: int,
    verify_1271: Verify1271,
) -> Order:
    """Bring a trader's signed dispute on chain. Raises Conflict if the vault is not funded."""
    order = find(session, order_id)
    role = require_trader(order, address)
    message = messages.dispute(platform.domain, bytes.fromhex(order.id[2:]))
    require_signature(address, message, signature, verify_1271)
    order = lock(session, order_id)
    escrow = session.get_one(Escrow, order.id)
    if escrow.disputed_at:
        raise Conflict("disputed", "the order is disputed already")
    if escrow.settled_tx or escrow.seen_units < order.amount_units:
        raise Conflict("not_funded", "only an order whose vault holds the amount is disputed")
    keep_signature(session, order.id, "Dispute", role, signature)
    bring(session, platform, order, role, signature, ACTORS[role], reason, now)
    return order


def bring(
    session: Session,
    platform: Platform,
    order: Order,
    role: Role,
    signature: bytes,
    actor: Actor,
    reason: str,
    now: int,
) -> None:
    terms = Terms.from_dict(order.terms)
    message = messages.dispute(platform.domain, bytes.fromhex(order.id[2:]))
    contracts = [] if messages.is_by_key(terms.holder(role), message, signature) else [role]
    data, key = calls.dispute(terms, role, signature), f"dispute:{order.id}:{role.label}"
    if intents.enqueue(session, platform, key, order.id, data, now, contracts):
        append(session, order.id, "dispute_brought", actor, order.status, order.status, reason,
               now, {"by": role.label})  # fmt: skip


def watch(session: Session, platform: Platform, order: Order, escrow: Escrow, now: int) -> None:
    """The watchtower: a refund request against a buyer who paid meets the buyer's dispute."""
    if escrow.refund_requested_at:
        meet_refund_request(session, platform, order, escrow, now)


def meet_refund_request(
    session: Session, platform: Platform, order: Order, escrow: Escrow, now: int
) -> None:
    """Bring the dispute that a buyer who paid has signed ahead.

    Only a final dispute or settlement makes it needless: one that was only seen is one node's word.
    """
    if escrow.final_disputed_at or escrow.final_settled_tx:
        return
    signature = kept_signature(session, order.id, "Dispute", Role.BUYER)
    if signature is not None:
        reason = "the seller asked for a refund of an order that the buyer paid"
        with suppress(Conflict):  # refused too often: no order may end the watcher or the keeper
            bring(session, platform, order, Role.BUYER, signature, Actor.COORDINATOR, reason, now)


def watch_due(session: Session, platform: Platform, now: int, limit: int) -> None:
    """Look again at every refund request that no dispute has met: one may have been dropped."""
    rows = session.exec(
        select(Escrow.order_id)
        .join(Order, col(Order.id) == col(Escrow.order_id))
        .where(
            Order.chain_id == platform.domain.chain_id,
            Escrow.refund_requested_at > 0,
            *UNDECIDED,
        )
        .order_by(func.random())
        .limit(limit)
    ).all()
    for order_id in sorted(rows):
        order = lock(session, order_id)
        watch(session, platform, order, session.get_one(Escrow, order_id), now)


def to_defend(session: Session, platform: Platform, now: int, limit: int) -> list[str]:
    """Orders whose buyers paid, and whose sellers may ask for a refund by now; in no order.

    What the books have of such a request does not matter: it may be hidden from them.
    """
    time = max(now, clock.final_now(session, platform.domain.chain_id))
    query = (
        select(Order.id)
        .join(Escrow, col(Escrow.order_id) == col(Order.id))
        .join(OrderSignature, col(OrderSignature.order_id) == col(Order.id))
        .where(
            Order.chain_id == platform.domain.chain_id,
            Order.pay_by <= time,
            OrderSignature.kind == "Dispute",
            OrderSignature.role == int(Role.BUYER),
            *UNDECIDED,
        )
    )
    return list(session.exec(query.order_by(func.random()).limit(limit)).all())


def defend(session: Session, platform: Platform, order_id: str, now: int) -> None:
    """Meet a refund request that some node knows of, whatever the books have."""
    order = lock(session, order_id)
    meet_refund_request(session, platform, order, session.get_one(Escrow, order_id), now)
