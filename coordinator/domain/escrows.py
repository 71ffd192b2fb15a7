"""What a vault is in, folded from its chain events. The same fold serves what is seen and final."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from otc_sdk.policy import State


class Condition(StrEnum):
    """How a vault's deposit stands beside the order's status."""

    EMPTY = "empty"
    SHORT = "short"
    FUNDED = "funded"
    SURPLUS = "surplus"


@dataclass(frozen=True)
class ChainEvent:
    """One decoded event of a vault. `units` is a transfer's amount or a settlement's share."""

    name: str
    units: int
    time: int
    block_number: int
    tx_hash: str
    token: str = ""


@dataclass(frozen=True)
class EscrowView:
    """State of one order on chain. Times are Unix seconds, 0 for never."""

    deposited_units: int = 0
    withdrawn_units: int = 0
    wrong_token: bool = False
    funded_at: int = 0
    refund_requested_at: int = 0
    disputed_at: int = 0
    settled_tx: str = ""
    to_buyer_units: int | None = None

    @property
    def balance_units(self) -> int:
        return self.deposited_units - self.withdrawn_units

    @property
    def state(self) -> State:
        return State(self.refund_requested_at, self.disputed_at)

    @property
    def settled(self) -> bool:
        return self.settled_tx != ""


def fold(events: Iterable[ChainEvent], token: str, amount_units: int) -> EscrowView:
    """View after the events, which come in chain order."""
    view = EscrowView()
    for event in events:
        view = apply(view, event, token, amount_units)
    return view


def apply(view: EscrowView, event: ChainEvent, token: str, amount_units: int) -> EscrowView:
    match event.name:
        case "Deposit" if event.token != token:
            return replace(view, wrong_token=True)
        case "Deposit":
            total = view.deposited_units + event.units
            newly = view.funded_at == 0 and total >= amount_units
            return replace(
                view,
                deposited_units=total,
                funded_at=event.time if newly else view.funded_at,
            )
        case "Withdrawal" if event.token == token:
            return replace(view, withdrawn_units=view.withdrawn_units + event.units)
        case "RefundRequested":
            return replace(view, refund_requested_at=event.time)
        case "Disputed":
            return replace(view, disputed_at=event.time)
        case "Settled":
            return replace(view, settled_tx=event.tx_hash, to_buyer_units=event.units)
        case _:
            return view


def condition(balance_units: int, amount_units: int) -> Condition:
    """How the vault's balance stands to the amount that was agreed."""
    if balance_units == 0:
        return Condition.EMPTY
    if balance_units < amount_units:
        return Condition.SHORT
    return Condition.FUNDED if balance_units == amount_units else Condition.SURPLUS
