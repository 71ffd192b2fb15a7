"""Calldata of the escrow's verbs, and the words for its errors. No I/O."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import (
    collapse_if_tuple,
    event_signature_to_log_topic,
    function_signature_to_4byte_selector,
)
from web3 import Web3

from otc_sdk.artifacts import load
from otc_sdk.roles import Role
from otc_sdk.terms import Terms

ORDER = (
    "(address,uint128,uint128,address,address,address,address,address,"
    "uint64,uint32,uint32,uint32,uint16,uint64)"
)
SETTLE = function_signature_to_4byte_selector(f"settle({ORDER},uint256,uint256,bytes)")
SETTLE_BATCH = function_signature_to_4byte_selector(
    f"settleBatch(({ORDER},uint256,uint256,bytes)[])"
)
Signatures = Mapping[Role, bytes]


def transfer(to: str, amount_units: int) -> bytes:
    """ERC-20 `transfer`: how a seller funds the vault."""
    return call("transfer(address,uint256)", to, amount_units)


def settle(terms: Terms, to_buyer_units: int, valid_until: int, signatures: Signatures) -> bytes:
    return call(
        f"settle({ORDER},uint256,uint256,bytes)",
        terms.to_tuple(),
        to_buyer_units,
        valid_until,
        pack(signatures),
    )


def settle_batch(items: list[tuple[Terms, int, int, Signatures]]) -> bytes:
    """Items are (terms, to_buyer_units, valid_until, signatures)."""
    return call(
        f"settleBatch(({ORDER},uint256,uint256,bytes)[])",
        [(t.to_tuple(), units, until, pack(s)) for t, units, until, s in items],
    )


def join_settles(settles: Sequence[bytes]) -> bytes:
    """Calls of `settle` as one `settleBatch`: an item is encoded as the arguments of `settle` are.

    Raises ValueError for any other call.
    """
    if any(data[:4] != SETTLE for data in settles):
        raise ValueError("only calls of settle can be joined")
    items = [data[4:] for data in settles]
    starts = accumulate((len(item) for item in items[:-1]), initial=32 * len(items))
    words = (32, len(items), *starts)
    return SETTLE_BATCH + b"".join(word.to_bytes(32, "big") for word in words) + b"".join(items)


def is_settle(data: str) -> bool:
    """Whether hex text is a call of `settle`."""
    return data.startswith("0x" + SETTLE.hex())


def valid_until_of(data: str) -> int:
    """The time from which a call of `settle`, as hex text, is refused. Raises DecodingError."""
    _, _, valid_until, _ = decode([ORDER, "uint256", "uint256", "bytes"], bytes.fromhex(data[10:]))
    return int(valid_until)


def is_batch(data: str) -> bool:
    """Whether hex text is a call of `settleBatch`."""
    return data.startswith("0x" + SETTLE_BATCH.hex())


def request_refund(terms: Terms, signature: bytes = b"") -> bytes:
    return call(f"requestRefund({ORDER},bytes)", terms.to_tuple(), signature)


def dispute(terms: Terms, by: Role, signature: bytes = b"") -> bytes:
    return call(f"dispute({ORDER},uint8,bytes)", terms.to_tuple(), int(by), signature)


def claim(terms: Terms, to: str, valid_until: int = 0, coordinator_signature: bytes = b"") -> bytes:
    return call(
        f"claim({ORDER},address,uint256,bytes)",
        terms.to_tuple(),
        to,
        valid_until,
        coordinator_signature,
    )


def sweep(terms: Terms, token: str) -> bytes:
    return call(f"sweep({ORDER},address)", terms.to_tuple(), token)


def fund_with_permit2(terms: Terms, nonce: int, deadline: int, signature: bytes) -> bytes:
    return call(
        f"fundWithPermit2({ORDER},uint256,uint256,bytes)",
        terms.to_tuple(),
        nonce,
        deadline,
        signature,
    )


def publish(terms: Terms) -> bytes:
    return call(f"publish({ORDER})", terms.to_tuple())


def call(signature: str, *arguments: Any) -> bytes:
    """Selector and ABI-encoded arguments of a function signature."""
    types = split_types(signature[signature.index("(") + 1 : -1])
    return function_signature_to_4byte_selector(signature) + encode(types, arguments)


def split_types(text: str) -> list[str]:
    """Top-level types of a comma-separated list with nested tuples."""
    types, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            types.append(text[start:i])
            start = i + 1
    return [*types, text[start:]]


def pack(signatures: Signatures) -> bytes:
    """The contract's list: role (1 byte), length (2 bytes), signature; one after the other."""
    return b"".join(
        bytes([role]) + len(signatures[role]).to_bytes(2, "big") + signatures[role]
        for role in sorted(signatures)
    )


@cache
def errors_by_selector() -> dict[bytes, dict[str, Any]]:
    entries = [entry for entry in load("Escrow")["abi"] if entry["type"] == "error"]
    return {Web3.keccak(text=signature_of(entry))[:4]: entry for entry in entries}


def signature_of(entry: dict[str, Any]) -> str:
    """`name(types)` of an ABI entry."""
    return f"{entry['name']}({','.join(collapse_if_tuple(i) for i in entry['inputs'])})"


def explain_revert(data: bytes) -> str:
    """The words for a revert's data: the escrow's error with its evidence, or the reason text.

    What cannot be read is shown as it is: a token or a node may have cut it.
    """
    try:
        return words_of(data)
    except (DecodingError, ValueError, OverflowError):  # the last: a length without end
        return f"reverted with 0x{data.hex()}"


def words_of(data: bytes) -> str:
    """Raises DecodingError or ValueError for data that is not what its selector says."""
    entry = errors_by_selector().get(data[:4])
    if entry is not None:
        values = decode([collapse_if_tuple(i) for i in entry["inputs"]], data[4:])
        evidence = ", ".join(
            f"{i['name']}={readable(v)}" for i, v in zip(entry["inputs"], values, strict=True)
        )
        return f"{entry['name']}({evidence})"
    if data[:4] == function_signature_to_4byte_selector("Error(string)"):
        return str(decode(["string"], data[4:])[0])
    return f"reverted with 0x{data.hex()}" if data else "reverted without a reason"


def readable(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


@cache
def event_topics() -> dict[bytes, str]:
    """Topic 0 -> name of the escrow's events."""
    return {
        event_signature_to_log_topic(signature_of(e)): e["name"]
        for e in load("Escrow")["abi"]
        if e["type"] == "event"
    }
