"""Reading raw logs: the escrow's events and ERC-20 transfers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import event_signature_to_log_topic
from eth_utils.address import to_checksum_address
from otc_sdk.calls import event_topics

TRANSFER = "0x" + event_signature_to_log_topic("Transfer(address,address,uint256)").hex()
ESCROW_TOPICS = {"0x" + topic.hex(): name for topic, name in event_topics().items()}
TOPICS = [TRANSFER, *ESCROW_TOPICS]
TRANSFER_TOPICS = 3
# Terms may be published again and again; a batch may hold any order's settlement, to fail; a token
# of anybody's own may be swept for ever.
FREE_EVENTS = ("Published", "SettlementFailed", "Swept")
# No token has so many; a few times the largest number would overflow the books' columns.
MAX_UNITS = 2**200
# A backfill meets the same addresses again and again, and their checksums are slow.
CACHED_ADDRESSES = 100_000


@dataclass(frozen=True)
class Decoded:
    """`order_id` for the escrow's events; `parties` of a transfer, to be looked up as vaults."""

    name: str
    order_id: str | None
    parties: tuple[str, ...]
    values: dict[str, Any]

    @property
    def empty(self) -> bool:
        """What changes nothing, and anybody can make any number of, for any order."""
        nothing = self.name == "Transfer" and self.values["units"] == "0"
        return nothing or self.name in FREE_EVENTS


@lru_cache(CACHED_ADDRESSES)
def checksummed(address: str) -> str:
    """With the capitals of EIP-55. Raises ValueError."""
    return to_checksum_address(address)


def decode(escrow: str, address: str, topics: Sequence[str], data: str) -> Decoded | None:
    """The log's meaning, or None if it is not ours to read."""
    if not topics:
        return None
    if topics[0] == TRANSFER and len(topics) == TRANSFER_TOPICS:
        return decode_transfer(topics, data)
    if address == escrow and topics[0] in ESCROW_TOPICS:
        return decode_escrow(ESCROW_TOPICS[topics[0]], topics, bytes.fromhex(data[2:]))
    return None


def decode_transfer(topics: Sequence[str], data: str) -> Decoded | None:
    sender, recipient = (checksummed("0x" + topic[-40:]) for topic in topics[1:3])
    try:
        (units,) = abi_decode(["uint256"], bytes.fromhex(data[2:]))
    except DecodingError:
        return None
    if units > MAX_UNITS:
        return None
    values = {"from": sender, "to": recipient, "units": str(units)}
    return Decoded("Transfer", None, (sender, recipient), values)


def decode_escrow(name: str, topics: Sequence[str], data: bytes) -> Decoded | None:
    """None for what the escrow cannot have emitted: a node invented it."""
    place = 2 if name == "SettlementFailed" else 1
    values: dict[str, Any] = {}
    try:
        if name == "Settled":
            roles, to_buyer = abi_decode(["uint256", "uint256"], data)
            values = {"roles": roles, "units": str(to_buyer)}
        return Decoded(name, topics[place], (), values)
    except (DecodingError, IndexError):
        return None
