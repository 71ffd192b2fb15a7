"""Orders from the match to the payment: terms proposed, signed, funded in time, paid."""

import secrets
from collections.abc import Iterable

from eth_account.messages import SignableMessage
from otc_sdk import messages
from otc_sdk.errors import SignatureError
from otc_sdk.messages import Verify1271
from otc_sdk.roles import Role
from otc_sdk.terms import Terms, vault_address
from sqlmodel import Session, col, not_, or_, select

from coordinator.db.ads import Ad
from coordinator.db.chain import Cursor
from coordinator.db.columns import texts
from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order, OrderSignature
from coordinator.domain import money
from coordinator.domain.ads import Side
from coordinator.domain.errors import Conflict, Forbidden, Invalid, NotFound
from coordinator.domain.matching import Want, require_want
from coordinator.domain.orders import ENDED, Actor, Event, OrderStatus
from coordinator.domain.platform import Platform
from coordinator.services import clock, halting, matching
from coordinator.services.order_log import append, record
from coordinator.services.users import ensure_user

MAX_OPEN_ORDERS_PER_TRADER = 100
MAX_LISTED = 200
# With less time left nobody is told to pay.
MIN_PAY_SECONDS = 30
SALT_BITS = 64
ACTORS = {
    Role.SELLER: Actor.SELLER,
    Role.BUYER: Actor.BUYER,
    Role.COORDINATOR: Actor.COORDINATOR,
    Role.ARBITRATOR: Actor.ARBITRATOR,
}


def place(session: Session, platform: Platform, want: Want, ad_id: int | None, now: int) -> Order:
    """Match a taker and propose the terms. Raises Invalid, NotFound, Conflict or ChainHalted."""
    require_want(want)
    require_no_judge(platform, want.taker)
    halting.require_running(session, platform.domain.chain_id)
    ensure_user(session, want.taker, now)
    require_room(session, want.taker)
    ad, units = matching.take(session, platform, want, ad_id)
    start = max(now, clock.final_now(session, platform.domain.chain_id))
    terms = propose(platform, want, ad, units, start)
    order_id = terms.order_id(platform.domain)
    order = Order(
        id="0x" + order_id.hex(),
        chain_id=platform.domain.chain_id,
        status=OrderStatus.PENDING,
        version=1,
        ad_id=ad.id or 0,
        maker=ad.maker,
        seller=terms.seller,
        buyer=terms.buyer,
        arbitrator=terms.arbitrator,
        vault=vault_address(platform.domain, order_id),
        token=terms.token,
        amount_units=units,
        terms=terms.to_dict(),
        fiat=ad.fiat,
        fiat_amount_minor=money.fiat_minor(units, platform.token_decimals, ad.price, ad.fiat),
        price=ad.price,
        payment_method=want.payment_method,
        instructions=ad.instructions,
        fund_by=start + platform.fund_by_seconds,
        pay_by=terms.pay_by,
        created_at=now,
    )
    session.add(order)
    session.flush()
    cursor = session.get(Cursor, platform.domain.chain_id)
    session.add(
        Escrow(
            order_id=order.id,
            vault=order.vault,
            seen_units=0,
            final_units=0,
            # Nobody knows the vault's address before now.
            from_number=cursor.final_number if cursor else 0,
            checked_at=now,
        )
    )
    data = {"ad": ad.id, "taker": want.taker, "vault": order.vault}
    append(session, order.id, "placed", want.taker, "", order.status, "matched", now, data)
    return order


def propose(platform: Platform, want: Want, ad: Ad, units: int, start: int) -> Terms:
    """The terms of a new order. Raises Invalid if the contract would not take them."""
    buyer, seller = want.taker, ad.maker
    if want.side is Side.SELL:
        buyer, seller = seller, buyer
    terms = Terms(
        token=platform.token,
        amount_units=units,
        fee_units=money.fee_units(units, platform.fee_bps),
        fee_recipient=platform.fee_recipient,
        seller=seller,
        buyer=buyer,
        coordinator=platform.coordinator,
        arbitrator=platform.arbitrator,
        pay_by=start + platform.fund_by_seconds + ad.pay_by_seconds,
        refund_window_seconds=platform.refund_window_seconds,
        ruling_window_seconds=platform.ruling_window_seconds,
        final_window_seconds=platform.final_window_seconds,
        default_buyer_bps=platform.default_buyer_bps,
        salt=secrets.randbits(SALT_BITS),
    )
    fault = terms.fault()
    if fault is not None:
        raise Invalid("unusable_terms", f"these terms cannot be settled: {fault}")
    return terms


def require_no_judge(platform: Platform, trader: str) -> None:
    """Raise Forbidden: who co-signs or rules does not trade."""
    if trader in (platform.coordinator, platform.arbitrator):
        raise Forbidden("not_a_trader", "the coordinator and the arbitrator do not trade")


def require_room(session: Session, trader: str) -> None:
    query = (
        select(Order.id)
        .where(
            or_(Order.buyer == trader, Order.seller == trader),
            col(Order.status).not_in(list(ENDED)),
        )
        .limit(MAX_OPEN_ORDERS_PER_TRADER)
    )
    if len(session.exec(query).all()) >= MAX_OPEN_ORDERS_PER_TRADER:
        raise Conflict(
            "too_many_orders", f"at most {MAX_OPEN_ORDERS_PER_TRADER} orders may be open"
        )


def find(session: Session, order_id: str) -> Order:
    """The order as it is. Raises NotFound."""
    order = session.get(Order, order_id)
    if order is None:
        raise NotFound("no_such_order", f"there is no order {order_id}")
    return order


def lock(session: Session, order_id: str) -> Order:
    """The order, locked until the transaction ends. Raises NotFound.

    Signatures are checked before: asking a contract (ERC-1271) may take long, and the watcher waits
    for the lock.
    """
    order = session.exec(
        select(Order)
        .where(Order.id == order_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if order is None:
        raise NotFound("no_such_order", f"there is no order {order_id}")
    return order


def lock_all(session: Session, order_ids: Iterable[str]) -> list[Order]:
    """Orders by their ids, locked in the order in which every writer locks."""
    query = select(Order).where(col(Order.id) == texts(order_ids)).order_by(Order.id)
    locked = query.with_for_update().execution_options(populate_existing=True)
    return list(session.exec(locked).all())


def by_ad(orders: Iterable[Order]) -> list[Order]:
    """In the order in which every writer locks ads: an order that ends gives its amount back."""
    return sorted(orders, key=lambda order: order.ad_id)


def role_in(order: Order, address: str) -> Role:
    """The role of an address in an order. Raises Forbidden for a stranger."""
    role = Terms.from_dict(order.terms).role_of(address)
    if role is None:
        raise Forbidden("not_your_order", "only the parties of an order see and change it")
    return role


def require_trader(order: Order, address: str) -> Role:
    role = role_in(order, address)
    if role not in (Role.SELLER, Role.BUYER):
        raise Forbidden("not_a_trader", "only the buyer and the seller do this")
    return role


def require_signature(
    signer: str, message: SignableMessage, signature: bytes, verify_1271: Verify1271
) -> None:
    """Raise Invalid unless the signature is the signer's over the message."""
    try:
        messages.check(signer, message, signature, verify_1271)
    except SignatureError as error:
        raise Invalid("bad_signature", str(error)) from error


def sign_terms(
    session: Session,
    platform: Platform,
    order_id: str,
    address: str,
    signature: bytes,
    now: int,
    verify_1271: Verify1271,
) -> Order:
    """Keep a trader's signature of the terms. Signing twice changes nothing."""
    order = find(session, order_id)
    role = require_trader(order, address)
    message = Terms.from_dict(order.terms).signable(platform.domain)
    require_signature(address, message, signature, verify_1271)
    order = lock(session, order_id)
    if session.get(OrderSignature, (order.id, "Order", int(role))) is not None:
        return order
    record(session, order, Event.TERMS_SIGNED, ACTORS[role], "signed the terms", now)
    keep_signature(session, order.id, "Order", role, signature)
    time = max(now, clock.final_now(session, platform.domain.chain_id))
    begin_payment(session, order, session.get_one(Escrow, order.id), now, time)
    return order


def keep_signature(
    session: Session, order_id: str, kind: str, role: Role, signature: bytes
) -> None:
    session.merge(
        OrderSignature(
            order_id=order_id, kind=kind, role=int(role), signature="0x" + signature.hex()
        )
    )
    session.flush()


def kept_signature(session: Session, order_id: str, kind: str, role: Role) -> bytes | None:
    found = session.get(OrderSignature, (order_id, kind, int(role)))
    return bytes.fromhex(found.signature[2:]) if found else None


def both_signed(session: Session, order_id: str) -> bool:
    return all(
        kept_signature(session, order_id, "Order", role) is not None
        for role in (Role.SELLER, Role.BUYER)
    )


def begin_payment(session: Session, order: Order, escrow: Escrow, now: int, time: int) -> None:
    """The deposit is final, in time and compared with the chain, and both signed: the buyer pays.

    `time` is the later of the wall's and the chain's: with less than MIN_PAY_SECONDS left, nobody
    is told to pay, and the order expires.
    """
    in_time = 0 < escrow.final_funded_at < order.fund_by
    covered = escrow.final_units >= order.amount_units
    if order.status != OrderStatus.PENDING or not (in_time and covered):
        return
    if escrow.difference is not None or escrow.checked_number < escrow.changed_number:
        return
    if halting.halted(session, order.chain_id) is not None:
        return
    if escrow.refund_requested_at or escrow.disputed_at or escrow.settled_tx:
        return
    if not both_signed(session, order.id):
        return
    if time + MIN_PAY_SECONDS > order.pay_by:
        return
    data = {"units": str(escrow.final_units)}
    reason = "the deposit is final"
    record(session, order, Event.DEPOSIT_FINAL, Actor.CHAIN, reason, now, data)


def withdraw(session: Session, order_id: str, address: str, now: int) -> Order:
    """Call an order off before it is funded. Raises Conflict once a deposit was seen."""
    order = lock(session, order_id)
    role = require_trader(order, address)
    escrow = session.get_one(Escrow, order.id)
    if escrow.seen_units > 0:
        raise Conflict("deposit_seen", "the vault holds a deposit; sign a refund instead")
    record(session, order, Event.WITHDRAWN, ACTORS[role], "called off before funding", now)
    return order


def mark_paid(
    session: Session,
    platform: Platform,
    order_id: str,
    address: str,
    reference: str,
    dispute_signature: bytes,
    now: int,
    verify_1271: Verify1271,
) -> Order:
    """The buyer says the fiat is sent, and signs a dispute ahead for the watchtower to keep."""
    order = find(session, order_id)
    role = require_trader(order, address)
    if role is not Role.BUYER:
        raise Forbidden("not_the_buyer", "only the buyer says that they paid")
    message = messages.dispute(platform.domain, bytes.fromhex(order.id[2:]))
    require_signature(address, message, dispute_signature, verify_1271)
    order = lock(session, order_id)
    chain_time = clock.seen_now(session, platform.domain.chain_id, now)
    if order.status == OrderStatus.AWAITING_PAYMENT and chain_time >= order.pay_by:
        raise Conflict("too_late", f"the pay-by time {order.pay_by} has passed")
    reason, data = "says the fiat is sent", {"reference": reference}
    if order.status == OrderStatus.AWAITING_RELEASE and order.paid_at is None:
        # The announced release may still fail: the watchtower gets its signature all the same.
        append(session, order.id, Event.PAID, Actor.BUYER, order.status, order.status, reason, now,
               data)  # fmt: skip
    else:
        record(session, order, Event.PAID, Actor.BUYER, reason, now, data)
    keep_signature(session, order.id, "Dispute", Role.BUYER, dispute_signature)
    order.payment_reference = reference
    order.paid_at = now
    return order


def expire_due(session: Session, platform: Platform, now: int, limit: int) -> int:
    """End orders that were not funded in time; the number of them.

    Time is the final chain's: all deposits made in time are known by then. One that is still to be
    compared with the chain is waited for, as long as the buyer may pay.
    """
    final_time = clock.final_now(session, platform.domain.chain_id)
    in_time = col(Escrow.final_funded_at).between(1, col(Order.fund_by) - 1)
    compared = col(Escrow.checked_number) >= col(Escrow.changed_number)
    due = session.exec(
        select(Order.id)
        .join(Escrow, col(Escrow.order_id) == col(Order.id))
        .where(
            Order.chain_id == platform.domain.chain_id,
            Order.status == OrderStatus.PENDING,
            Order.fund_by <= final_time,
            or_(not_(in_time), compared, col(Order.pay_by) <= final_time),
        )
        .limit(limit)
    ).all()
    for order in by_ad(lock_all(session, due)):
        if order.status == OrderStatus.PENDING:
            reason = "not funded in time"
            record(session, order, Event.FUNDING_EXPIRED, Actor.COORDINATOR, reason, now)
    return len(due)


def listed(session: Session, address: str, limit: int) -> list[Order]:
    """Orders in which an address has a role, newest first."""
    mine = or_(Order.buyer == address, Order.seller == address, Order.arbitrator == address)
    query = select(Order).where(mine).order_by(col(Order.created_at).desc(), col(Order.id))
    return list(session.exec(query.limit(min(limit, MAX_LISTED))).all())


def shown(session: Session, order_id: str, address: str) -> Order:
    """One order, for a party of it. Raises NotFound, Forbidden."""
    order = find(session, order_id)
    role_in(order, address)
    return order
