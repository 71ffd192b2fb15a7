"""When a coordinator is well: the limits, and the faults that they find."""

from collections.abc import Iterable
from dataclasses import dataclass

from otc_sdk.roles import TRADERS, Role, from_bits

from coordinator.domain.nodes import NodeState

# The newest block read may be this old; several times the slowest chain's block time.
MAX_LAG_SECONDS = 120
# A transaction is mined in a minute or is sent again with a higher fee; this is no queue any more.
STUCK_AFTER_SECONDS = 600


@dataclass(frozen=True)
class Fault:
    """What keeps the coordinator from working. `code` is for machines."""

    code: str
    message: str


def lag_seconds(block_time: int, now: int) -> int:
    """Age of the newest block read; a chain's clock may be ahead of ours."""
    return max(0, now - block_time)


def chain_faults(
    chain_id: int, block_time: int | None, halted: str | None, now: int, max_lag_seconds: int
) -> list[Fault]:
    """Why what is read of the chain cannot be relied on; `block_time` is None before any block."""
    if block_time is None:
        return [Fault("not_read", f"the watcher has not read chain {chain_id} yet")]
    faults = []
    if halted:
        faults.append(Fault("halted", f"chain {chain_id} is halted: {halted}"))
    lag = lag_seconds(block_time, now)
    if lag > max_lag_seconds:
        words = f"the newest block read is {lag} s old; the limit is {max_lag_seconds} s"
        faults.append(Fault("lag", words))
    return faults


def node_fault(name: str, state: str, reason: str) -> Fault | None:
    if state == NodeState.HEALTHY:
        return None
    return Fault("node", f"the node {name} is {state}" + (f": {reason}" if reason else ""))


def stuck_fault(count: int) -> Fault | None:
    if not count:
        return None
    words = f"{count} transactions wait for longer than {STUCK_AFTER_SECONDS} s"
    return Fault("stuck", words)


def differing_fault(order_ids: list[str]) -> Fault | None:
    if not order_ids:
        return None
    words = f"the vaults of {len(order_ids)} or more orders differ from the books: {order_ids[0]}"
    return Fault("differs", words)


def coins_fault(address: str, balance_wei: int, max_fee_wei: int) -> Fault | None:
    """A sender must be able to pay at least one transaction at the fee ceiling."""
    if balance_wei >= max_fee_wei:
        return None
    words = f"the sender {address} holds {balance_wei} wei; one transaction may cost {max_fee_wei}"
    return Fault("coins", words)


def found(faults: Iterable[Fault | None]) -> list[Fault]:
    return [fault for fault in faults if fault is not None]


def waits_for(status: str, signed_bits: int, disputed: bool) -> str:
    """Whose turn a settlement is."""
    if status == "cosigning":
        return "co-signer"
    if status == "ready":
        return "sender"
    signed = from_bits(signed_bits)
    others = [role for role in TRADERS if role not in signed]
    if disputed and Role.ARBITRATOR not in signed:
        others.append(Role.ARBITRATOR)
    return " or ".join(role.label for role in others) or "time"
