"""The coordinator as judge after the arbitrator: a person decides, never a machine."""

import structlog
from otc_sdk.roles import Role
from sqlalchemy import Engine

from coordinator.db.session import transaction
from coordinator.domain.cosigning import require_judges_turn, require_validity
from coordinator.domain.errors import Forbidden, Invalid
from coordinator.services.cosigner_switch import require_reason
from coordinator.services.cosigning import (
    CosignPolicy,
    entry,
    parse,
    require_chain,
    require_consent,
    require_terms,
    sign,
)
from coordinator.services.ports import ChainReader, CosignRequest, Key

log = structlog.get_logger()
TRADERS = (Role.SELLER, Role.BUYER)


def judge(
    engine: Engine,
    policy: CosignPolicy,
    node: ChainReader,
    key: Key,
    request: CosignRequest,
    role: Role,
    why: str,
    by: str,
) -> str:
    """Sign any split that the trader of this role has signed; `by` and `why` are written down.

    No limit of the machine applies. Raises Invalid without a reason, Forbidden, KeyDown, or Later
    before its turn and while co-signing is stopped.
    """
    terms = parse(request)
    row = entry(policy, terms, request, node.head().time)
    row.judge, row.why = by[:200], require_reason(why)
    if role not in TRADERS:
        raise Forbidden("judge_trader", f"a trader must agree, not the {role.label}")
    if not 0 <= request.to_buyer_units <= terms.amount_units:
        raise Invalid("amount_out_of_range", f"the share must be 0 to {terms.amount_units}")
    require_terms(policy, key, terms)
    require_validity(request.valid_until, row.at)
    require_consent(policy, node, terms, request, role)
    final = node.final_head()
    state = node.escrow_state(policy.domain.escrow, row.order_id, final.number)
    require_judges_turn(terms, state, final.time)
    require_chain(policy, node, terms, request.to_buyer_units)
    with transaction(engine) as session:
        signature = sign(session, policy, key, row, limits=())
    log.warning(
        "judged",
        order_id=row.order_id,
        to_buyer_units=str(row.to_buyer_units),
        judge=by,
        why=row.why,
    )
    return signature
