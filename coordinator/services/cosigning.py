"""The co-signer's own policy. It trusts nothing it is told: it reads the chain itself."""

from dataclasses import dataclass

from otc_sdk import messages
from otc_sdk.errors import OtcError
from otc_sdk.terms import EscrowDomain, Terms, vault_address
from sqlalchemy import Engine, text
from sqlmodel import Session, col, func, select

from coordinator.db.session import transaction
from coordinator.db.settlements import Cosignature
from coordinator.domain.cosigning import giving_role, require_validity, require_within_cap
from coordinator.domain.errors import Forbidden, Invalid, Later, Refused
from coordinator.services.ports import ChainReader, CosignRequest, Key

DAY_SECONDS = 86_400
COSIGNER_LOCK = 0x07C5C4


@dataclass(frozen=True)
class CosignPolicy:
    """What this co-signer may sign for; `cap_units` is per 24 hours."""

    domain: EscrowDomain
    token: str
    fee_recipient: str
    cap_units: int


def cosign(
    engine: Engine, policy: CosignPolicy, node: ChainReader, key: Key, request: CosignRequest
) -> str:
    """Sign, or raise Refused with the reason. Both are written down; a repeat costs nothing.

    Later is no decision: it is not written down, and asking again is right.
    """
    terms = parse(request)
    order_id = terms.order_id(policy.domain)
    row = Cosignature(
        order_id="0x" + order_id.hex(),
        to_buyer_units=request.to_buyer_units,
        valid_until=request.valid_until,
        # A refund goes back to where it came from: nothing that a cap would guard.
        amount_units=terms.amount_units if request.to_buyer_units else 0,
        at=node.head().time,
    )
    with transaction(engine) as session:
        # One decision at a time, or two could pass the cap together.
        session.connection().execute(text(f"select pg_advisory_xact_lock({COSIGNER_LOCK})"))
        known = signed_before(session, order_id, request)
        if known is not None:
            return known
        refusal = refusal_of(session, policy, node, key, terms, request, row.at)
        if refusal is None:
            message = messages.settlement(
                policy.domain, order_id, request.to_buyer_units, request.valid_until
            )
            row.signature = "0x" + key.sign(message).hex()
        else:
            row.refusal = refusal.message[:500]
        session.add(row)
    if refusal is not None:
        raise refusal
    return row.signature or ""


def refusal_of(
    session: Session,
    policy: CosignPolicy,
    node: ChainReader,
    key: Key,
    terms: Terms,
    request: CosignRequest,
    now: int,
) -> Refused | None:
    try:
        require_allowed(session, policy, node, key, terms, request, now)
    except Later:
        raise
    except Refused as refusal:
        return refusal
    return None


def parse(request: CosignRequest) -> Terms:
    try:
        return Terms.from_dict(request.terms)
    except OtcError as error:
        raise Invalid("malformed_terms", str(error)) from error


def signed_before(session: Session, order_id: bytes, request: CosignRequest) -> str | None:
    return session.exec(
        select(Cosignature.signature).where(
            Cosignature.order_id == "0x" + order_id.hex(),
            Cosignature.to_buyer_units == request.to_buyer_units,
            Cosignature.valid_until == request.valid_until,
            col(Cosignature.signature).is_not(None),
        )
    ).first()


def require_allowed(
    session: Session,
    policy: CosignPolicy,
    node: ChainReader,
    key: Key,
    terms: Terms,
    request: CosignRequest,
    now: int,
) -> None:
    """Raise Refused unless every rule holds: terms, counterparty's signature, chain, cap."""
    require_terms(policy, key, terms)
    require_validity(request.valid_until, now)
    order_id = terms.order_id(policy.domain)
    role = giving_role(terms, request.to_buyer_units)
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
    needed = terms.amount_units if request.to_buyer_units else 1
    require_chain(policy, node, terms, order_id, needed)
    if request.to_buyer_units:
        others = signed_today(session, "0x" + order_id.hex(), now)
        require_within_cap(others, terms.amount_units, policy.cap_units)


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
    policy: CosignPolicy, node: ChainReader, terms: Terms, order_id: bytes, needed_units: int
) -> None:
    """Raise Forbidden for a settled vault, Later unless it holds this much in a final block."""
    vault = vault_address(policy.domain, order_id)
    if node.has_code(vault):
        raise Forbidden("cosign_settled", f"the order's vault {vault} is settled already")
    final = node.final_head()
    balance = node.token_balance(terms.token, vault, final.number)
    if balance < needed_units:
        raise Later(
            "cosign_unfunded",
            f"the vault held {balance} of {needed_units} units in block {final.number}",
        )


def signed_today(session: Session, order_id: str, now: int) -> int:
    """Units of the other orders signed for. An order counts once: it settles once.

    Otherwise a trader could use the day's cap up with signatures of one order.
    """
    orders = (
        select(Cosignature.order_id, Cosignature.amount_units)
        .where(
            col(Cosignature.signature).is_not(None),
            Cosignature.at > now - DAY_SECONDS,
            Cosignature.order_id != order_id,
        )
        .distinct()
        .subquery()
    )
    return int(session.exec(select(func.coalesce(func.sum(orders.c.amount_units), 0))).one())
