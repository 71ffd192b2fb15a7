"""Gathering the signatures of a settlement, and sending it once the policy allows it."""

from contextlib import suppress

from eth_account.messages import SignableMessage
from otc_sdk import calls, messages
from otc_sdk.messages import Verify1271
from otc_sdk.policy import State, allows
from otc_sdk.roles import TRADERS, Role
from otc_sdk.terms import Terms
from sqlmodel import Session, col, func, select

from coordinator.db.escrows import Escrow
from coordinator.db.orders import Order, OrderLogEntry
from coordinator.db.settlements import Settlement, SettlementSignature
from coordinator.db.wake import Channel, notify
from coordinator.domain.cosigning import MAX_VALIDITY_SECONDS, giving_role
from coordinator.domain.errors import Conflict, Forbidden, Invalid
from coordinator.domain.orders import IN_FLIGHT, TRANSITIONS, Actor, Event, OrderStatus
from coordinator.domain.platform import Platform
from coordinator.services import clock, intents
from coordinator.services.order_log import append, record
from coordinator.services.orders import ACTORS, find, lock, require_signature, role_in
from coordinator.services.ports import CosignRequest

# For each role: one that floods an order keeps no other from settling it.
MAX_SETTLEMENTS_PER_ROLE = 20
# Shorter, and it would announce a payout that can no longer be sent.
MIN_VALIDITY_SECONDS = 600
# The default split needs no signature; the sender's message stays valid this long.
DEFAULT_VALIDITY_SECONDS = 7 * 86_400


def add_signature(
    session: Session,
    platform: Platform,
    order_id: str,
    address: str,
    to_buyer_units: int,
    valid_until: int,
    signature: bytes,
    now: int,
    verify_1271: Verify1271,
) -> Settlement:
    """Keep a role's signature of a settlement and go on if it was the last one needed.

    Raises Invalid for a bad signature or validity, Conflict if the status does not allow it.
    """
    order = find(session, order_id)
    role = role_in(order, address)
    terms = Terms.from_dict(order.terms)
    time = max(now, clock.final_now(session, platform.domain.chain_id))
    if not time + MIN_VALIDITY_SECONDS <= valid_until <= time + MAX_VALIDITY_SECONDS:
        raise Invalid(
            "validity",
            f"valid_until must be {MIN_VALIDITY_SECONDS} to {MAX_VALIDITY_SECONDS} seconds ahead",
        )
    if not 0 <= to_buyer_units <= terms.amount_units:
        raise Invalid("amount_out_of_range", f"to_buyer_units must be 0 to {terms.amount_units}")
    message = messages.settlement(
        platform.domain, bytes.fromhex(order.id[2:]), to_buyer_units, valid_until
    )
    require_signature(address, message, signature, verify_1271)
    order = lock(session, order_id)
    require_possible(session, order, to_buyer_units)
    settlement = find_or_open(session, order, role, to_buyer_units, valid_until)
    if session.get(SettlementSignature, (settlement.id, int(role))) is None:
        keep(session, settlement, role, signature)
        data = {"to_buyer_units": str(to_buyer_units), "valid_until": valid_until}
        append(session, order.id, "settlement_signed", ACTORS[role], order.status, order.status,
               f"signed a {outcome(to_buyer_units, terms)}", now, data)  # fmt: skip
        advance(session, platform, order, settlement, now)
    return settlement


def outcome(to_buyer_units: int, terms: Terms) -> str:
    if to_buyer_units == 0:
        return "refund"
    return "release" if to_buyer_units == terms.amount_units else "split"


def agreed_event(to_buyer_units: int) -> Event:
    return Event.REFUND_AGREED if to_buyer_units == 0 else Event.RELEASE_AGREED


def may_be_agreed(session: Session, order: Order, settlement: Settlement) -> bool:
    """Whether there is still something to agree on; a refund's `cancelled` alone does not tell."""
    event = agreed_event(settlement.to_buyer_units)
    settled = session.get_one(Escrow, order.id).final_settled_tx
    return not settled and (OrderStatus(order.status), event) in TRANSITIONS


def require_possible(session: Session, order: Order, to_buyer_units: int) -> None:
    """Raise Conflict unless there is something to settle and this status allows it."""
    escrow = session.get_one(Escrow, order.id)
    if escrow.settled_tx:
        raise Conflict("settled", f"the order was settled in {escrow.settled_tx}")
    if escrow.seen_units == 0 and not escrow.wrong_token:
        raise Conflict("not_funded", "the vault is empty; there is nothing to settle")
    event = agreed_event(to_buyer_units)
    if (OrderStatus(order.status), event) not in TRANSITIONS:
        raise Conflict("not_in_this_status", f"an order that is {order.status} has no {event}")


def find_or_open(
    session: Session, order: Order, role: Role, to_buyer_units: int, valid_until: int
) -> Settlement:
    """The settlement of these values. Raises Conflict if it failed, or the role opened too many."""
    found = session.exec(
        select(Settlement).where(
            Settlement.order_id == order.id,
            Settlement.to_buyer_units == to_buyer_units,
            Settlement.valid_until == valid_until,
        )
    ).first()
    if found is not None and found.status == "failed":
        raise Conflict("settlement_failed", "the chain refused it; sign with another valid_until")
    if found is not None:
        return found
    signed = session.exec(
        select(func.count())
        .select_from(SettlementSignature)
        .join(Settlement, col(Settlement.id) == col(SettlementSignature.settlement_id))
        .where(Settlement.order_id == order.id, SettlementSignature.role == int(role))
    ).one()
    if signed >= MAX_SETTLEMENTS_PER_ROLE:
        raise Conflict("too_many", f"a role signs at most {MAX_SETTLEMENTS_PER_ROLE} settlements")
    settlement = Settlement(
        order_id=order.id,
        to_buyer_units=to_buyer_units,
        valid_until=valid_until,
        status="collecting",
    )
    session.add(settlement)
    session.flush()
    return settlement


def keep(session: Session, settlement: Settlement, role: Role, signature: bytes) -> None:
    session.add(
        SettlementSignature(
            settlement_id=settlement.id or 0, role=int(role), signature="0x" + signature.hex()
        )
    )
    session.flush()


def signatures_of(session: Session, settlement: Settlement) -> dict[Role, bytes]:
    rows = session.exec(
        select(SettlementSignature).where(SettlementSignature.settlement_id == settlement.id)
    ).all()
    return {Role(row.role): bytes.fromhex(row.signature[2:]) for row in rows}


def advance(
    session: Session, platform: Platform, order: Order, settlement: Settlement, now: int
) -> None:
    """Send the settlement if its roles suffice; ask the co-signer if only it is missing."""
    terms = Terms.from_dict(order.terms)
    signed = signatures_of(session, settlement)
    escrow = session.get_one(Escrow, order.id)
    state = State(escrow.refund_requested_at, escrow.disputed_at)
    time = clock.final_now(session, platform.domain.chain_id)
    to_buyer = settlement.to_buyer_units
    if settlement.status == "ready":
        return
    if allows(set(signed), to_buyer, terms, state, time):
        send(session, platform, order, settlement, signed, now)
    elif settlement.status == "collecting" and wants_cosignature(terms, to_buyer, signed):
        settlement.status = "cosigning"
        notify(session, Channel.KEEPER)


def wants_cosignature(terms: Terms, to_buyer_units: int, signed: dict[Role, bytes]) -> bool:
    try:
        return giving_role(terms, to_buyer_units) in signed
    except Forbidden:
        return False


def send(
    session: Session,
    platform: Platform,
    order: Order,
    settlement: Settlement,
    signed: dict[Role, bytes],
    now: int,
) -> None:
    """Write the intent and the agreement down; the sender does the rest."""
    terms = Terms.from_dict(order.terms)
    to_buyer, until = settlement.to_buyer_units, settlement.valid_until
    message = messages.settlement(platform.domain, bytes.fromhex(order.id[2:]), to_buyer, until)
    data = calls.settle(terms, to_buyer, until, messages.as_sent(terms, message, signed))
    settlement.status = "ready"
    contracts = contract_signers(terms, message, signed)
    key = f"settle:{settlement.id}"
    intents.enqueue(session, platform, key, order.id, data, now, contracts)
    record(
        session,
        order,
        agreed_event(to_buyer),
        Actor.COORDINATOR,
        f"{outcome(to_buyer, terms)} agreed by "
        + " and ".join(role.label for role in sorted(signed)),
        now,
        {"to_buyer_units": str(to_buyer)},
    )


def contract_signers(
    terms: Terms, message: SignableMessage, signed: dict[Role, bytes]
) -> list[Role]:
    """Whose signatures are not their own key's, of the traders: the panel is the platform's own."""
    return [
        role
        for role, signature in signed.items()
        if role in TRADERS and not messages.is_by_key(terms.holder(role), message, signature)
    ]


def waiting_for_cosigner(
    session: Session, platform: Platform, limit: int
) -> list[tuple[int, CosignRequest]]:
    """Settlements that only the coordinator's signature is missing from."""
    rows = session.exec(
        select(Settlement)
        .join(Order, col(Order.id) == col(Settlement.order_id))
        .join(Escrow, col(Escrow.order_id) == col(Settlement.order_id))
        .where(
            Settlement.status == "cosigning",
            Order.chain_id == platform.domain.chain_id,
            Escrow.settled_tx == "",
        )
        # What it could not decide must not keep waiting what it was never asked for.
        .order_by(col(Settlement.asked_at), col(Settlement.id))
        .limit(limit)
    ).all()
    requests = []
    for settlement in rows:
        order = session.get_one(Order, settlement.order_id)
        terms = Terms.from_dict(order.terms)
        role = giving_role(terms, settlement.to_buyer_units)
        requests.append((
            settlement.id or 0,
            CosignRequest(
                terms=order.terms,
                to_buyer_units=settlement.to_buyer_units,
                valid_until=settlement.valid_until,
                signature="0x" + signatures_of(session, settlement)[role].hex(),
            ),
        ))  # fmt: skip
    return requests


def lock_settlement(session: Session, settlement_id: int) -> tuple[Order, Settlement]:
    """A settlement as it is under its order's lock: the traders may have settled meanwhile."""
    settlement = session.get_one(Settlement, settlement_id)
    order = lock(session, settlement.order_id)
    session.refresh(settlement)
    return order, settlement


def cosigned(
    session: Session, platform: Platform, settlement_id: int, signature: bytes, now: int
) -> None:
    """Keep the co-signer's signature and send the settlement, unless the order ended meanwhile."""
    order, settlement = lock_settlement(session, settlement_id)
    if settlement.status != "cosigning" or not may_be_agreed(session, order, settlement):
        return
    keep(session, settlement, Role.COORDINATOR, signature)
    advance(session, platform, order, settlement, now)


def cosign_waits(session: Session, settlement_id: int, now: int) -> None:
    """The co-signer could not decide; it is asked again, after the others."""
    _, settlement = lock_settlement(session, settlement_id)
    settlement.asked_at = now


def cosign_refused(session: Session, settlement_id: int, reason: str, now: int) -> None:
    """Write the co-signer's refusal down where the parties see it."""
    order, settlement = lock_settlement(session, settlement_id)
    if settlement.status != "cosigning":
        return
    settlement.status = "refused"
    settlement.refusal = reason[:500]
    append(session, order.id, "cosign_refused", Actor.COORDINATOR, order.status, order.status,
           reason, now, {})  # fmt: skip


def advance_due(session: Session, platform: Platform, now: int, limit: int) -> None:
    """Send what time or a dispute has come to allow since it was signed."""
    time = clock.final_now(session, platform.domain.chain_id)
    rows = session.exec(
        select(Settlement.order_id, Settlement.id)
        .join(Order, col(Order.id) == col(Settlement.order_id))
        .join(Escrow, col(Escrow.order_id) == col(Settlement.order_id))
        .where(
            Order.chain_id == platform.domain.chain_id,
            Settlement.status == "collecting",
            Escrow.settled_tx == "",
        )
        .order_by(func.random())  # those that wait for somebody must not keep the others waiting
        .limit(limit)
    ).all()
    for _, settlement_id in sorted(rows, key=lambda row: (row[0], row[1] or 0)):
        order, settlement = lock_settlement(session, settlement_id or 0)
        if settlement.valid_until <= time:
            settlement.status = "expired"
        elif may_be_agreed(session, order, settlement):
            advance(session, platform, order, settlement, now)


def send_defaults(session: Session, platform: Platform, now: int, limit: int) -> None:
    """Nobody ruled: send the split that the traders agreed on beforehand."""
    time = clock.final_now(session, platform.domain.chain_id)
    rows = session.exec(
        select(Order.id)
        .join(Escrow, col(Escrow.order_id) == col(Order.id))
        .where(
            Order.chain_id == platform.domain.chain_id,
            Order.status == OrderStatus.DISPUTED,
            Escrow.settled_tx == "",
        )
        .order_by(func.random())
        .limit(limit)
    ).all()
    for order_id in sorted(rows):
        order = lock(session, order_id)
        terms = Terms.from_dict(order.terms)
        escrow = session.get_one(Escrow, order_id)
        units = terms.default_to_buyer_units(escrow.final_units)
        state = State(escrow.refund_requested_at, escrow.final_disputed_at)
        if allows(set(), units, terms, state, time, escrow.final_units):
            data = calls.settle(terms, units, time + DEFAULT_VALIDITY_SECONDS, {})
            with suppress(Conflict):  # refused too often: the others' must be sent all the same
                intents.enqueue(session, platform, f"default:{order_id}", order_id, data, now)


def failed(session: Session, order: Order, settlement_id: int, reason: str, now: int) -> None:
    """The chain refused a settlement for good: the order is again where it was before it."""
    settlement = session.get_one(Settlement, settlement_id)
    settlement.status, settlement.refusal = "failed", reason[:500]
    session.flush()
    ready = select(Settlement.id).where(
        Settlement.order_id == order.id, Settlement.status == "ready"
    )
    escrow = session.get_one(Escrow, order.id)
    in_flight = OrderStatus(order.status) in IN_FLIGHT
    if not in_flight or escrow.final_settled_tx or session.exec(ready.limit(1)).first() is not None:
        return
    event = Event.UNSETTLED
    if escrow.final_disputed_at:
        event = Event.UNSETTLED_DISPUTED
    elif not told_to_pay(session, order.id):
        event = Event.UNSETTLED_UNFUNDED
    elif order.paid_at is not None:
        event = Event.UNSETTLED_PAID
    record(session, order, event, Actor.COORDINATOR, reason, now)


def told_to_pay(session: Session, order_id: str) -> bool:
    """Whether the buyer ever was: not if the deposit came late, or before both had signed."""
    return (
        session.exec(
            select(OrderLogEntry.seq)
            .where(OrderLogEntry.order_id == order_id, OrderLogEntry.event == Event.DEPOSIT_FINAL)
            .limit(1)
        ).first()
        is not None
    )
