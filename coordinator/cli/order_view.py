"""An order on the screen."""

from typing import TYPE_CHECKING

from otc_sdk.quorum import missing
from otc_sdk.roles import Role
from otc_sdk.text import plain
from rich.text import Text

from coordinator.cli.console import out, show
from coordinator.cli.next_step import NodeSays, next_step
from coordinator.cli.words import alternatives, amount, fiat, moment, outcome, price, short, span

if TYPE_CHECKING:
    from otc_sdk.order import Json, Order


def show_order(order: "Order", role: Role, now: int, node: NodeSays | None) -> None:
    facts = order.facts
    show(f"Order {order.id}", {**parties(order, role), **money(order), **times(order, now)}, False)
    for settlement in facts["settlements"]:
        out.print(settlement_line(order, settlement, now))
    for transaction in facts["transactions"]:
        out.print(transaction_line(transaction))
    out.print(Text.assemble(("Next: ", "bold"), next_step(order, role, now, node)))


def parties(order: "Order", role: Role) -> dict[str, object]:
    def who(one: Role) -> str:
        return order.terms.holder(one) + (" (you)" if one is role else "")

    return {
        "status": plain(order.facts["status"]),
        "seller": who(Role.SELLER),
        "buyer": who(Role.BUYER),
        "arbitrator": who(Role.ARBITRATOR),
        "terms signed by": " and ".join(map(plain, order.facts["terms_signed_by"])) or "nobody",
    }


def money(order: "Order") -> dict[str, object]:
    facts, escrow = order.facts, order.facts["escrow"]
    due = fiat(int(facts["fiat_amount_minor"]), facts["fiat"])
    held = amount(order, int(escrow["seen_units"]))
    final = amount(order, int(escrow["final_units"]))
    wrong = "; tokens of another kind, too" if escrow["wrong_token"] else ""
    return {
        "amount": amount(order, order.terms.amount_units),
        "fee": f"{amount(order, order.terms.fee_units)}, taken from the buyer's share",
        "payment": f"{due} by {plain(facts['payment_method'])}, {price(facts['price'])} a token",
        "instructions": plain(facts["instructions"]) or None,
        "reference": plain(facts["payment_reference"]) if facts["payment_reference"] else None,
        "vault": order.vault,
        "vault holds": f"{held} seen, {final} final ({plain(escrow['condition'])}){wrong}",
        "settled by": plain(escrow["settled_tx"]) or None,
    }


def times(order: "Order", now: int) -> dict[str, object]:
    """Deadlines, as far as they matter in this status."""
    facts, terms, state = order.facts, order.terms, order.state
    ended = facts["escrow"]["settled_tx"] or facts["status"] in ("expired", "cancelled")
    ruling = state.disputed_at + terms.ruling_window_seconds
    asked = state.refund_requested_at
    shown: dict[str, int] = {"opened": facts["created_at"]}
    if facts["status"] == "pending":
        shown["fund by"] = facts["fund_by"]
    if not ended:
        shown["pay by"] = terms.pay_by
    shown |= {"refund requested": asked, "disputed": state.disputed_at}
    if asked and not state.disputed_at and not ended:
        shown["refund by time"] = asked + terms.refund_window_seconds
    if state.disputed_at and not ended:
        shown["arbitrator rules until"] = ruling
        shown["default split from"] = ruling + terms.final_window_seconds
    return {name: moment(at, now) for name, at in shown.items()}


def settlement_line(order: "Order", settlement: "Json", now: int) -> Text:
    """Who signed what, and who is missing."""
    signed = {Role[name.upper()] for name in settlement["signatures"]}
    units = int(settlement["to_buyer_units"])
    if settlement["status"] == "refused":
        state = f"refused: {plain(settlement['refusal'])}"
    elif settlement["status"] == "ready":
        state = "sent to the chain"
    elif order.facts["escrow"]["settled_tx"]:
        state = "not used"
    elif settlement["valid_until"] <= now:
        state = "no longer valid"
    else:
        state = lacking(order, signed, units, now)
    return Text.assemble(
        (f"Settlement {settlement['id']}: ", "bold"),
        f"{outcome(order, units)}; signed by {' and '.join(map(plain, settlement['signatures']))}",
        f"; valid until {moment(settlement['valid_until'], now)}; {state}",
    )


def lacking(order: "Order", signed: set[Role], units: int, now: int) -> str:
    sets = missing(signed, units, order.terms, order.state, now)
    if not sets:
        return "nobody can complete it now"
    return f"missing: {alternatives(sets)}" if sets[0] else "complete"


def transaction_line(transaction: "Json") -> Text:
    tx_hash, gas = transaction["tx_hash"], transaction["gas_used"]
    details = (
        plain(transaction["status"]),
        plain(transaction["reason"]) if transaction["reason"] else None,
        plain(tx_hash) if tx_hash else None,
        f"{gas:,} gas" if gas else None,
    )
    verb = plain(transaction["key"]).split(":")[0]
    return Text.assemble(
        (f"Transaction {verb}: ", "bold"), ", ".join(text for text in details if text)
    )


def show_log(entries: "list[Json]", now: int) -> None:
    out.print(Text(f"Log: {len(entries)} entries, their chain of hashes is whole", style="bold"))
    for entry in entries:
        before, after = plain(entry["from_status"]), plain(entry["to_status"])
        step = f" → {after}" if before != after else ""
        event = plain(entry["event"]).replace("_", " ")
        out.print(
            Text.assemble(
                (f"{entry['seq']:>3}  {span(max(0, now - entry['at'])):>12} ago  ", "dim"),
                f"{short(entry['actor'])}: {event}{step}; {plain(entry['reason'])}",
                (f"  {plain(entry['hash'])[:16]}", "dim"),
            )
        )


def terms_rows(order: "Order", role: Role, now: int) -> dict[str, object]:
    """What signing the terms means."""
    terms = order.terms
    share = f"{terms.default_buyer_bps / 100:g} %"
    return {
        "you are": f"the {role.label}",
        **{k: v for k, v in parties(order, role).items() if k != "status"},
        **{k: v for k, v in money(order).items() if k not in ("vault holds", "settled by")},
        "token": terms.token,
        "escrow": f"{order.domain.escrow} on chain {order.domain.chain_id}",
        "fund by": moment(order.facts["fund_by"], now),
        "pay by": moment(terms.pay_by, now),
        "refund window": span(terms.refund_window_seconds),
        "ruling window": f"{span(terms.ruling_window_seconds)}, "
        f"then {span(terms.final_window_seconds)} more, then {share} to the buyer",
    }
