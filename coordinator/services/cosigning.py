"""The co-signer's own policy. It trusts nothing it is told: it reads the chain itself."""

from dataclasses import dataclass

import structlog
from otc_sdk import messages
from otc_sdk.errors import OtcError
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address
from sqlalchemy import Engine, delete
from sqlmodel import Session, col, func, or_, select

from coordinator.db.cosigning import Cosignature
from coordinator.db.session import transaction
from coordinator.domain.cosigning import (
    Limit,
    giving_role,
    require_order_limit,
    require_validity,
    require_within,
)
from coordinator.domain.errors import Forbidden, Invalid, Later, Refused
from coordinator.services import halting, metrics
from coordinator.services.cosigner_switch import LocalStop, lock, require_running
from coordinator.services.ports import ChainReader, CosignRequest, Key

log = structlog.get_logger()
DAY_SECONDS = 86_400
# Refusals are written down for people to read. A caller who makes more is in the log only.
MAX_REFUSALS_PER_DAY = 10_000
REFUSALS_KEPT_SECONDS = 90 * DAY_SECONDS
# A caller chooses what an error quotes.
MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class CosignPolicy:
    """What this co-signer may sign for; `order_units` is the largest order."""

    domain: EscrowDomain
    token: str
    fee_recipient: str
    order_units: int
    limits: tuple[Limit, ...]
    local_stop: LocalStop


def cosign(
    engine: Engine, policy: CosignPolicy, node: ChainReader, key: Key, request: CosignRequest
) -> str:
    """Sign, or raise Refused with the reason. Both are written down; a repeat costs nothing.

    Later is no decision: it is logged but not written down, and asking again is right.
    """
    terms = parse(request)
    row = entry(policy, terms, request, node.head().time)
    try:
        signature = decide(engine, policy, node, key, terms, request, row)
        metrics.COSIGNATURES.inc()
        return signature
    except Refused as refusal:
        note(refusal, row.order_id)
        raise


def note(refusal: Refused, order_id: str | None) -> None:
    """Count and log it."""
    metrics.COSIGN_REFUSALS.labels(refusal.code).inc()
    event = "cosign later" if isinstance(refusal, Later) else "cosign refused"
    log.warning(event, order_id=order_id, code=refusal.code, reason=refusal.message)


def entry(policy: CosignPolicy, terms: Terms, request: CosignRequest, now: int) -> Cosignature:
    """What is to be written down of a request."""
    return Cosignature(
        order_id="0x" + terms.order_id(policy.domain).hex(),
        to_buyer_units=request.to_buyer_units,
        valid_until=request.valid_until,
        amount_units=terms.amount_units,
        seller=terms.seller,
        buyer=terms.buyer,
        at=now,
    )


def decide(
    engine: Engine,
    policy: CosignPolicy,
    node: ChainReader,
    key: Key,
    terms: Terms,
    request: CosignRequest,
    row: Cosignature,
) -> str:
    with transaction(engine) as session:
        require_running(session, policy.local_stop)
        known = signed_before(session, row)
    if known is not None:
        return known
    try:
        require_allowed(policy, node, key, terms, request, row.at)
    except Later:
        raise
    except Refused as refusal:
        with transaction(engine) as session:
            keep_refusal(session, row, refusal)
        raise
    limits = policy.limits if request.to_buyer_units else ()
    with transaction(engine) as session:
        return sign(session, policy, key, row, limits)


def sign(
    session: Session, policy: CosignPolicy, key: Key, row: Cosignature, limits: tuple[Limit, ...]
) -> str:
    """Sign, once. Raises KeyDown, or Later: over a limit, stopped, or the chain is halted."""
    # One signature at a time, or two could pass a limit together.
    lock(session)
    require_running(session, policy.local_stop)
    known = signed_before(session, row)
    if known is not None:
        return known
    halted = halting.halted(session, policy.domain.chain_id)
    if halted is not None:
        raise Later("cosign_halted", f"the chain is halted: {halted}")
    require_limits(session, limits, row)
    order_id = bytes.fromhex(row.order_id[2:])
    message = messages.settlement(policy.domain, order_id, row.to_buyer_units, row.valid_until)
    row.signature = "0x" + key.sign(message).hex()
    session.add(row)
    return row.signature


def parse(request: CosignRequest) -> Terms:
    try:
        return Terms.from_dict(request.terms)
    except OtcError as error:
        refusal = Invalid("malformed_terms", str(error)[:MAX_REASON_CHARS])
        note(refusal, None)
        raise refusal from error


def signed_before(session: Session, row: Cosignature) -> str | None:
    return session.exec(
        select(Cosignature.signature).where(
            Cosignature.order_id == row.order_id,
            Cosignature.to_buyer_units == row.to_buyer_units,
            Cosignature.valid_until == row.valid_until,
            col(Cosignature.signature).is_not(None),
        )
    ).first()


def keep_refusal(session: Session, row: Cosignature, refusal: Refused) -> None:
    """Write it down, the first time, unless there are too many today; drop what is old."""
    refused = col(Cosignature.refusal).is_not(None)
    old = col(Cosignature.at) < row.at - REFUSALS_KEPT_SECONDS
    session.execute(delete(Cosignature).where(refused, old))
    same = (
        col(Cosignature.order_id) == row.order_id,
        col(Cosignature.to_buyer_units) == row.to_buyer_units,
        col(Cosignature.valid_until) == row.valid_until,
    )
    today = col(Cosignature.at) > row.at - DAY_SECONDS
    repeats = session.exec(select(func.count()).where(refused, *same)).one()
    others = session.exec(select(func.count()).where(refused, today)).one()
    if not repeats and others < MAX_REFUSALS_PER_DAY:
        row.refusal = refusal.message[:MAX_REASON_CHARS]
        session.add(row)


def require_allowed(
    policy: CosignPolicy,
    node: ChainReader,
    key: Key,
    terms: Terms,
    request: CosignRequest,
    now: int,
) -> None:
    """Raise Refused unless all hold: terms, size, time, counterparty's signature, chain."""
    require_terms(policy, key, terms)
    require_validity(request.valid_until, now)
    require_consent(policy, node, terms, request, giving_role(terms, request.to_buyer_units))
    if request.to_buyer_units:
        require_order_limit(terms.amount_units, policy.order_units)
    require_chain(policy, node, terms, request.to_buyer_units)


def require_consent(
    policy: CosignPolicy, node: ChainReader, terms: Terms, request: CosignRequest, role: Role
) -> None:
    """Raise Forbidden unless the trader of this role has signed this very settlement."""
    order_id = terms.order_id(policy.domain)
    message = messages.settlement(
        policy.domain, order_id, request.to_buyer_units, request.valid_until
    )
    try:
        signature = bytes.fromhex(request.signature.removeprefix("0x"))
        messages.check(terms.holder(role), message, signature, node.verify_1271)
    except (OtcError, ValueError) as error:
        raise Forbidden(
            "cosign_counterparty", f"no consent of the {role.label}: {error}"
        ) from error


def require_terms(policy: CosignPolicy, key: Key, terms: Terms) -> None:
    """Raise Forbidden for terms that are not this platform's."""
    fault = terms.fault()
    checks = (
        (fault is not None, f"the terms are unusable: {fault}"),
        (terms.coordinator != key.address, f"the coordinator is {terms.coordinator}, not this key"),
        (terms.token != policy.token, f"the token {terms.token} is not served"),
        (
            terms.fee_units > 0 and terms.fee_recipient != policy.fee_recipient,
            f"the fee would go to {terms.fee_recipient}",
        ),
    )
    reason = next((text for bad, text in checks if bad), None)
    if reason is not None:
        raise Forbidden("cosign_terms", reason)


def require_chain(
    policy: CosignPolicy, node: ChainReader, terms: Terms, to_buyer_units: int
) -> None:
    """Raise Forbidden for a settled vault, Later unless a final block holds what is needed.

    That is the amount, if the buyer gets any of it; of a vault that is short all goes back.
    """
    needed_units = terms.amount_units if to_buyer_units else 1
    vault = vault_address(policy.domain, terms.order_id(policy.domain))
    if node.has_code(vault):
        raise Forbidden("cosign_settled", f"the order's vault {vault} is settled already")
    final = node.final_head()
    balance = node.token_balance(terms.token, vault, final.number)
    if balance < needed_units:
        raise Later(
            "cosign_unfunded",
            f"the vault held {balance} of {needed_units} units in block {final.number}",
        )


def require_limits(session: Session, limits: tuple[Limit, ...], row: Cosignature) -> None:
    """Raise Later if this release would pass one of the limits."""
    for limit in limits:
        for trader in (row.seller, row.buyer) if limit.each_trader else (None,):
            others, units = released(session, limit.seconds, trader, row)
            require_within(limit, others, units, row.amount_units)


def released(
    session: Session, seconds: int, trader: str | None, row: Cosignature
) -> tuple[int, int]:
    """How many other orders were released lately, and their units; a trader's, or everybody's.

    An order counts once, or one trader could use a limit up with many signatures of one order.
    """
    wanted = [
        col(Cosignature.signature).is_not(None),
        col(Cosignature.to_buyer_units) > 0,
        col(Cosignature.at) > row.at - seconds,
        col(Cosignature.order_id) != row.order_id,
    ]
    if trader is not None:
        wanted.append(or_(col(Cosignature.seller) == trader, col(Cosignature.buyer) == trader))
    orders = (
        select(Cosignature.order_id, Cosignature.amount_units).where(*wanted).distinct().subquery()
    )
    units = func.coalesce(func.sum(orders.c.amount_units), 0)
    count, total = session.exec(select(func.count(), units).select_from(orders)).one()
    return int(count), int(total)
