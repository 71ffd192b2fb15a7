"""Orders: take an ad, sign the terms, say paid, sign a settlement, dispute, read."""

from typing import Annotated

from fastapi import APIRouter, Query
from otc_sdk.roles import Role
from sqlmodel import Session, col, select

from coordinator.api.context import Caller, Here
from coordinator.api.fields import OrderId, signature_bytes
from coordinator.api.order_schemas import (
    DisputeIn,
    EscrowOut,
    LogEntryOut,
    OrderIn,
    OrderOut,
    OrderSummary,
    PaidIn,
    SettlementIn,
    SettlementOut,
    TermsSignatureIn,
    TransactionOut,
)
from coordinator.db.escrows import Escrow
from coordinator.db.intents import Intent, Slot
from coordinator.db.orders import Order, OrderSignature
from coordinator.db.session import transaction
from coordinator.db.settlements import Settlement
from coordinator.domain.escrows import condition
from coordinator.domain.matching import Want
from coordinator.services import disputes, order_log, orders, settlements

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post("", status_code=201)
def place_order(here: Here, caller: Caller, body: OrderIn) -> OrderOut:
    """Take the best compatible ad, or the one named. The answer holds the terms to sign."""
    want = Want(
        taker=caller,
        side=body.side,
        fiat=body.fiat,
        payment_method=body.payment_method,
        amount_units=body.amount_units,
        fiat_amount_minor=body.fiat_amount_minor,
        worst_price=body.worst_price,
    )
    with transaction(here.engine) as session:
        return out(session, orders.place(session, here.platform, want, body.ad_id, here.now()))


@router.get("")
def list_orders(
    here: Here, caller: Caller, limit: Annotated[int, Query(ge=1, le=orders.MAX_LISTED)] = 50
) -> list[OrderSummary]:
    """The caller's orders, as seller, buyer or arbitrator, newest first."""
    with transaction(here.engine) as session:
        return [OrderSummary.model_validate(o) for o in orders.listed(session, caller, limit)]


@router.get("/{order_id}")
def read_order(here: Here, caller: Caller, order_id: OrderId) -> OrderOut:
    """One order of the caller's."""
    with transaction(here.engine) as session:
        return out(session, orders.shown(session, order_id, caller))


@router.get("/{order_id}/log")
def read_log(here: Here, caller: Caller, order_id: OrderId) -> list[LogEntryOut]:
    """The order's hash-chained log."""
    with transaction(here.engine) as session:
        orders.shown(session, order_id, caller)
        return [LogEntryOut.model_validate(e) for e in order_log.read(session, order_id)]


@router.post("/{order_id}/terms-signature")
def sign_terms(here: Here, caller: Caller, order_id: OrderId, body: TermsSignatureIn) -> OrderOut:
    """A trader's signature of the terms. The seller funds the vault after both have signed."""
    signature = signature_bytes(body.signature)
    with transaction(here.engine) as session:
        order = orders.sign_terms(
            session, here.platform, order_id, caller, signature, here.now(), here.verify_1271
        )
        return out(session, order)


@router.post("/{order_id}/withdraw")
def withdraw(here: Here, caller: Caller, order_id: OrderId) -> OrderOut:
    """Call an order off before anything was deposited."""
    with transaction(here.engine) as session:
        return out(session, orders.withdraw(session, order_id, caller, here.now()))


@router.post("/{order_id}/paid")
def mark_paid(here: Here, caller: Caller, order_id: OrderId, body: PaidIn) -> OrderOut:
    """The buyer has sent the fiat, and leaves a signed dispute with the watchtower."""
    signature = signature_bytes(body.dispute_signature)
    with transaction(here.engine) as session:
        order = orders.mark_paid(
            session, here.platform, order_id, caller, body.reference, signature, here.now(),
            here.verify_1271,
        )  # fmt: skip
        return out(session, order)


@router.post("/{order_id}/settlements")
def sign_settlement(here: Here, caller: Caller, order_id: OrderId, body: SettlementIn) -> OrderOut:
    """A role's signature of a settlement: release, refund or split, also a ruling."""
    with transaction(here.engine) as session:
        settlements.add_signature(
            session, here.platform, order_id, caller, body.to_buyer_units, body.valid_until,
            signature_bytes(body.signature), here.now(), here.verify_1271,
        )  # fmt: skip
        return out(session, session.get_one(Order, order_id))


@router.post("/{order_id}/dispute")
def open_dispute(here: Here, caller: Caller, order_id: OrderId, body: DisputeIn) -> OrderOut:
    """Bring a trader's signed dispute on chain."""
    with transaction(here.engine) as session:
        order = disputes.open_dispute(
            session, here.platform, order_id, caller, signature_bytes(body.signature),
            body.reason, here.now(), here.verify_1271,
        )  # fmt: skip
        return out(session, order)


def out(session: Session, order: Order) -> OrderOut:
    """An order with its escrow, settlements and transactions."""
    escrow = session.get_one(Escrow, order.id)
    signed = session.exec(
        select(OrderSignature.role).where(
            OrderSignature.order_id == order.id, OrderSignature.kind == "Order"
        )
    ).all()
    return OrderOut(
        **OrderSummary.model_validate(order).model_dump(),
        terms=order.terms,
        terms_signed_by=[Role(role).label for role in sorted(signed)],
        instructions=order.instructions,
        payment_reference=order.payment_reference,
        fund_by=order.fund_by,
        pay_by=order.pay_by,
        escrow=EscrowOut(
            vault=escrow.vault,
            condition=condition(escrow.seen_units, order.amount_units),
            seen_units=escrow.seen_units,
            final_units=escrow.final_units,
            wrong_token=escrow.wrong_token,
            refund_requested_at=escrow.refund_requested_at,
            disputed_at=escrow.disputed_at,
            settled_tx=escrow.settled_tx,
        ),
        settlements=settlements_out(session, order.id),
        transactions=transactions_out(session, order.id),
    )


def settlements_out(session: Session, order_id: str) -> list[SettlementOut]:
    rows = session.exec(
        select(Settlement).where(Settlement.order_id == order_id).order_by(col(Settlement.id))
    ).all()
    return [
        SettlementOut(
            id=row.id or 0,
            to_buyer_units=row.to_buyer_units,
            valid_until=row.valid_until,
            status=row.status,
            refusal=row.refusal,
            signatures={
                role.label: "0x" + signature.hex()
                for role, signature in settlements.signatures_of(session, row).items()
            },
        )
        for row in rows
    ]


def transactions_out(session: Session, order_id: str) -> list[TransactionOut]:
    rows = session.exec(
        select(Intent, Slot)
        .join(Slot, col(Slot.id) == col(Intent.slot_id), isouter=True)
        .where(Intent.order_id == order_id)
        .order_by(col(Intent.id))
    ).all()
    return [
        TransactionOut(
            key=intent.key,
            status=intent.status,
            reason=intent.reason,
            tx_hash=slot.tx_hash if slot else None,
            gas_used=slot.gas_used if slot else None,
        )
        for intent, slot in rows
    ]
