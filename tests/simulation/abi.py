"""How the token and the escrow are called and answer, and what they remember."""

from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import collapse_if_tuple, function_signature_to_4byte_selector
from eth_utils.address import to_checksum_address
from otc_sdk import messages
from otc_sdk.calls import ORDER, errors_by_selector, event_topics
from otc_sdk.policy import State as OrderState
from otc_sdk.terms import MEMBERS, EscrowDomain, Terms, vault_address

TOPIC_OF = {name: "0x" + topic.hex() for topic, name in event_topics().items()}
# Reverts of the token carry no data.
NO_REASON = b""


class Revert(Exception):
    """The call changes nothing; `data` is what the contract answers."""

    def __init__(self, data: bytes = NO_REASON) -> None:
        super().__init__(data.hex())
        self.data = data


@dataclass(frozen=True)
class Event:
    address: str
    topics: tuple[str, ...]
    data: bytes = b""


@dataclass
class State:
    """All that the contracts remember. `code` are the addresses of vaults that were settled."""

    tokens: dict[tuple[str, str], int] = field(default_factory=dict)
    coins: dict[str, int] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    orders: dict[bytes, OrderState] = field(default_factory=dict)
    code: set[str] = field(default_factory=set)
    frozen: set[str] = field(default_factory=set)

    def copy(self) -> "State":
        return State(
            dict(self.tokens), dict(self.coins), dict(self.nonces), dict(self.orders),
            set(self.code), set(self.frozen),
        )  # fmt: skip

    def balance(self, token: str, owner: str) -> int:
        return self.tokens.get((token, owner), 0)


@cache
def selectors() -> dict[bytes, tuple[str, list[str]]]:
    """Selector -> (verb, types of its arguments)."""
    verbs = {
        "transfer": ["address", "uint256"],
        "balanceOf": ["address"],
        "settle": [ORDER, "uint256", "uint256", "bytes"],
        "settleBatch": [f"({ORDER},uint256,uint256,bytes)[]"],
        "requestRefund": [ORDER, "bytes"],
        "dispute": [ORDER, "uint8", "bytes"],
        "claim": [ORDER, "address", "uint256", "bytes"],
        "sweep": [ORDER, "address"],
        "stateOf": ["bytes32"],
        "vaultOf": ["bytes32"],
        "claimOf": ["bytes32", "address"],
        "claimsOf": ["bytes32"],
        "symbol": [],
        "decimals": [],
        "isValidSignature": ["bytes32", "bytes"],
        # Ways of the token's owner, without the check of who sends: only the world's issuer does.
        "addBlackList": ["address"],
        "removeBlackList": ["address"],
    }
    return {
        function_signature_to_4byte_selector(f"{verb}({','.join(types)})"): (verb, types)
        for verb, types in verbs.items()
    }


@cache
def error_entry(name: str) -> tuple[bytes, list[str]]:
    return next(
        (selector, [collapse_if_tuple(i) for i in entry["inputs"]])
        for selector, entry in errors_by_selector().items()
        if entry["name"] == name
    )


def error(name: str, *values: Any) -> Revert:
    selector, types = error_entry(name)
    return Revert(selector + encode(types, values))


def topic(value: str | int) -> str:
    raw = value if isinstance(value, int) else int(value, 16)
    return "0x" + raw.to_bytes(32, "big").hex()


@lru_cache(4096)
def terms_of(order: tuple[Any, ...]) -> Terms:
    values = {
        attribute: to_checksum_address(value) if kind == "address" else value
        for (attribute, _, kind), value in zip(MEMBERS, order, strict=True)
    }
    return Terms(**values)


@lru_cache(4096)
def id_of(domain: EscrowDomain, terms: Terms) -> bytes:
    return terms.order_id(domain)


@lru_cache(4096)
def vault_of(domain: EscrowDomain, order_id: bytes) -> str:
    return vault_address(domain, order_id)


recover = lru_cache(4096)(messages.recover)
