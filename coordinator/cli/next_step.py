"""What the caller does next with an order, in one sentence with its command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otc_sdk.quorum import missing
from otc_sdk.roles import TRADERS, Role
from otc_sdk.text import plain

from coordinator.cli.words import amount, fiat, outcome

if TYPE_CHECKING:
    from otc_sdk.order import Json, Order

WAITING = {
    "awaiting_release": "wait: the release is being sent to the chain",
    "awaiting_refund": "wait: the refund is being sent to the chain",
    "completed": "nothing: the order is completed",
    "cancelled": "nothing: the order is cancelled",
    "expired": "nothing: the order was not funded in time",
}
ID_CHARS = 12


@dataclass(frozen=True)
class NodeSays:
    """What a node of the buyer's own says against paying; None if nothing."""

    fault: str | None


def next_step(order: "Order", role: Role, now: int, node: NodeSays | None = None) -> str:
    """What to do now; `node` is None if nobody asked one.

    Status and settlements are the coordinator's words: nothing of them steers the terminal.
    """
    return plain(step(order, role, now, node))


def step(order: "Order", role: Role, now: int, node: NodeSays | None) -> str:
    status = str(order.facts["status"])
    settlement = waiting_for(order, role, now)
    if settlement is not None and status not in WAITING:
        return f"{countersign(order, role, settlement)}, if you agree to it"
    if status in WAITING:
        return WAITING[status]
    if role not in TRADERS:
        return arbitrators(order) if role is Role.ARBITRATOR else "nothing"
    if is_to_pay(order, role):
        return payment(order, now, node)
    return STEPS[status](order, role, now) if status in STEPS else f"unknown status {status}"


def is_to_pay(order: "Order", role: Role) -> bool:
    """Whether it is this role's turn to pay, by the coordinator's word."""
    return role is Role.BUYER and order.facts["status"] == "awaiting_payment"


def short(order: "Order") -> str:
    return order.id[:ID_CHARS]


def waiting_for(order: "Order", role: Role, now: int) -> "Json | None":
    """A settlement that this role's signature would complete, the newest first."""
    for settlement in reversed(order.facts["settlements"]):
        signed = {Role[name.upper()] for name in settlement["signatures"]}
        units = int(settlement["to_buyer_units"])
        lacking = missing(signed, units, order.terms, order.state, now)
        if settlement["valid_until"] > now and frozenset({role}) in lacking and signed:
            found: Json = settlement
            return found
    return None


def countersign(order: "Order", role: Role, settlement: "Json") -> str:
    units = int(settlement["to_buyer_units"])
    verb = outcome(order, units).split(":")[0]
    command = f"otc sign {verb}" if role in TRADERS else "otc rule"
    signers = " and ".join(settlement["signatures"])
    return (
        f"{signers} signed a {outcome(order, units)}: "
        f"{command} {short(order)} --counter {settlement['id']}"
    )


def arbitrators(order: "Order") -> str:
    if not order.state.disputed_at:
        return "nothing: you decide only in a dispute"
    if any("arbitrator" in s["signatures"] for s in order.facts["settlements"]):
        return "wait: your ruling lacks one trader's signature"
    return f"hear both sides, then otc rule {short(order)} --to-buyer AMOUNT|all|none"


def pending(order: "Order", role: Role, now: int) -> str:
    facts, escrow = order.facts, order.facts["escrow"]
    seen, lacking = int(escrow["seen_units"]), order.terms.amount_units
    if role.label not in facts["terms_signed_by"]:
        return f"check the terms and sign them: otc sign terms {short(order)}"
    if len(facts["terms_signed_by"]) < len(TRADERS):
        return "wait for the other trader's signature of the terms; do not fund or pay before it"
    if seen >= lacking:
        return "wait: the deposit is not final yet"
    if role is Role.BUYER:
        return "wait for the seller's deposit; do not pay before it is final"
    if now >= facts["fund_by"]:
        return "do not fund: the time to do it is over"
    if seen:
        return f"the vault is short: send {amount(order, lacking - seen)} more to {order.vault}"
    return f"fund the vault: otc order fund {short(order)}, or transfer to {order.vault}"


def payment(order: "Order", now: int, node: NodeSays | None) -> str:
    """What a buyer does for a vault that the coordinator calls funded."""
    if now >= order.terms.pay_by:
        return f"do not pay, it is too late; give the order up: otc sign refund {short(order)}"
    if node is not None and node.fault is not None:
        return f"do not pay: {node.fault}"
    money = fiat(int(order.facts["fiat_amount_minor"]), order.facts["fiat"])
    method = order.facts["payment_method"]
    pay = f"pay {money} by {method}, then otc order paid {short(order)} --reference TEXT"
    if node is None:
        return f"ask a node of yours whether the vault is funded (--rpc-url URL); if so, {pay}"
    return pay


def awaiting_payment(order: "Order", _role: Role, now: int) -> str:
    if order.state.refund_requested_at:
        return refund_due(order, now)
    if now >= order.terms.pay_by:
        return f"no payment came: otc refund request {short(order)}"
    return "wait for the payment"


def refund_due(order: "Order", now: int) -> str:
    due = order.state.refund_requested_at + order.terms.refund_window_seconds
    if now < due:
        return "wait: the refund window is still open to a dispute"
    return f"take the refund: otc refund take {short(order)}"


def paid(order: "Order", role: Role, _now: int) -> str:
    if role is Role.BUYER:
        return (
            f"wait for the release; if it does not come: otc dispute {short(order)} --reason TEXT"
        )
    return (
        f"look into your own account; if the money is there: otc sign release {short(order)}; "
        f"if it never comes: otc dispute {short(order)} --reason TEXT"
    )


def disputed(_order: "Order", _role: Role, _now: int) -> str:
    return "give the arbitrator your evidence and wait for the ruling, or agree on a split"


STEPS: "dict[str, Callable[[Order, Role, int], str]]" = {
    "pending": pending,
    "awaiting_payment": awaiting_payment,
    "paid": paid,
    "disputed": disputed,
}
