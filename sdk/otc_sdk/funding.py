"""What buyers ask a node of their own before they pay: the coordinator alone could lie."""

from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import BlockIdentifier, TxParams

from otc_sdk import calls
from otc_sdk.artifacts import load
from otc_sdk.deployment import REORG_MARGIN_BLOCKS, code_at, node_errors
from otc_sdk.errors import ChainError
from otc_sdk.order import Order
from otc_sdk.policy import State


@node_errors()
def require_funded(w3: Web3, order: Order) -> None:
    """Raise ChainError unless the vault holds the amount and the way to it is a buyer's alone.

    Both in the newest final block and in the newest one: no settlement, refund request or dispute.
    Final is what the node calls so; where it knows none, REORG_MARGIN_BLOCKS below the newest.
    """
    final = final_block(w3)
    if not code_at(w3, order.domain.escrow, final):
        raise ChainError(f"not funded: no escrow at {order.domain.escrow}")
    require_untouched(w3, order, final, f"in block {final}, the newest final one")
    require_untouched(w3, order, "latest", "in the newest block")


def require_untouched(w3: Web3, order: Order, block: BlockIdentifier, where: str) -> None:
    held, state, asked = held_units(w3, order, block), state_of(w3, order, block), order.terms
    checks = (
        (bool(code_at(w3, order.vault, block)), "the order was settled"),
        (held < asked.amount_units, f"the vault holds {held} of {asked.amount_units} units"),
        (state.refund_requested_at > 0, "the seller asked for a refund"),
        (state.disputed_at > 0, "the order is disputed"),
    )
    fault = next((text for bad, text in checks if bad), None)
    if fault is not None:
        raise ChainError(f"not funded: {fault}, {where}")


def final_block(w3: Web3) -> int:
    try:
        return int(w3.eth.get_block("finalized")["number"])
    except Web3Exception:
        return max(0, w3.eth.block_number - REORG_MARGIN_BLOCKS)


def held_units(w3: Web3, order: Order, block: BlockIdentifier) -> int:
    """What the vault holds of the order's token. Raises ChainError if that is no token then."""
    data = calls.call("balanceOf(address)", order.vault)
    call: TxParams = {"to": Web3.to_checksum_address(order.terms.token), "data": data}
    answer = bytes(w3.eth.call(call, block))
    if len(answer) != 32:
        raise ChainError(f"not funded: no token at {order.terms.token}")
    return int.from_bytes(answer, "big")


def state_of(w3: Web3, order: Order, block: BlockIdentifier) -> State:
    escrow = w3.eth.contract(
        Web3.to_checksum_address(order.domain.escrow), abi=load("Escrow")["abi"]
    )
    return State(*escrow.functions.stateOf(order.id_bytes).call(block_identifier=block))
