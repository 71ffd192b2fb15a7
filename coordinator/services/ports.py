"""What really varies, as Protocols. Bootstrap chooses the adapters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from eth_account.messages import SignableMessage
from otc_sdk.policy import State


class NodeSaid(Exception):
    """Its words may be a node's own: what PostgreSQL cannot keep (NUL, half characters) is not."""

    def __init__(self, words: str = "") -> None:
        super().__init__("".join(c if c.isprintable() else "?" for c in words))


class NodeDown(NodeSaid):
    """The node does not answer, or answers nonsense. Try again later."""


class KeyDown(Exception):
    """The co-signing key's backend does not answer, or wrongly; nothing is signed. Try again later.

    The message names the backend and nothing secret.
    """


class NodesDisagree(NodeDown):
    """The nodes contradict each other; nothing irreversible is done until they agree."""


class ChainHalted(NodeDown):
    """The chain contradicts what was final; nothing is done until an operator has looked."""


class Reverted(NodeSaid):
    """The chain would refuse this call; the message is the contract's words."""


class FeeTooHigh(Exception):
    """A transaction would cost more than a ceiling; it waits for a cheaper time."""


@dataclass(frozen=True)
class Header:
    """A block's header. `time` is Unix seconds, `bloom` its logs' filter (Yellow Paper 4.3.1)."""

    number: int
    hash: str
    parent_hash: str
    time: int
    bloom: int = 0


@dataclass(frozen=True)
class RawLog:
    """A log as the node gave it; lower-case hex text, addresses checksummed.

    `block_time` is Unix seconds where the node says it with the log; not all do.
    """

    block_hash: str
    block_number: int
    log_index: int
    tx_hash: str
    address: str
    topics: tuple[str, ...]
    data: str
    block_time: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Receipt:
    """`settled` are the ids of the orders that the transaction settled."""

    tx_hash: str
    block_number: int
    block_hash: str
    succeeded: bool
    gas_used: int
    fee_wei: int = 0
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Call:
    """What a transaction calls; `data` is hex text."""

    to: str
    data: str


@dataclass(frozen=True)
class Trial:
    """How a batch would go on the latest block."""

    gas_used: int
    settled: frozenset[str]


@dataclass(frozen=True)
class SignedTransaction:
    """`fees` are a transaction's fields with its `gas`; `max_fee_wei` is the most it can cost."""

    tx_hash: str
    raw: str
    fees: dict[str, int]
    max_fee_wei: int


class ChainReader(Protocol):
    """Reads of one chain; `block` is a number, else the latest. Every method raises NodeDown."""

    def head(self) -> Header: ...
    def final_head(self) -> Header: ...
    def header(self, number: int) -> Header | None: ...
    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Headers of blocks that must be there, in this order."""
        ...

    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]: ...
    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]: ...
    def has_code(self, address: str, block: int | None = None) -> bool: ...
    def token_balance(self, token: str, owner: str, block: int | None = None) -> int: ...
    def escrow_state(self, escrow: str, order_id: str, block: int | None = None) -> State: ...
    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool: ...


class ChainFollower(ChainReader, Protocol):
    """A reader that can be followed from block to block."""

    def child(self, number: int, parent_hash: str) -> Header | None:
        """The block at this height that ties to its parent; None while there is none."""
        ...


class Witnesses(Protocol):
    """What any node says by itself: enough to defend somebody, for nothing else."""

    def ask(self, escrow: str, order_ids: Sequence[str]) -> None:
        """Ask every node whether refunds were requested, by its newest block. Waits for none."""
        ...

    def heard(self, limit: int) -> list[str]:
        """Orders of which a node has said so, since they were last heard of."""
        ...


class ChainSender(Protocol):
    """Transactions from one gas-paying key. Every method that asks the node raises NodeDown."""

    # The most that one transaction may cost.
    max_fee_wei: int

    @property
    def address(self) -> str: ...
    def balance(self) -> int: ...
    def transaction_count(self, block: int | str = "latest") -> int: ...
    def block_hash(self, number: int) -> str | None: ...
    def quote(self) -> dict[str, int]:
        """Today's fees: the fields of a transaction."""
        ...

    def simulate(self, call: Call) -> int:
        """Gas estimate. Raises Reverted."""
        ...

    def try_batch(self, call: Call, gas: int) -> Trial | None:
        """None if the node cannot tell. Raises Reverted."""
        ...

    def sign(self, call: Call, nonce: int, gas: int, fees: Mapping[str, int]) -> SignedTransaction:
        """Asks nobody. Raises FeeTooHigh."""
        ...

    def turn(self) -> None:
        """Ask another node first from now on: this one's answers lead nowhere."""
        ...

    def broadcast(self, raw: str) -> None: ...
    def receipt(self, tx_hash: str) -> Receipt | None: ...


class Key(Protocol):
    """The co-signing key, wherever it lies."""

    @property
    def address(self) -> str: ...
    def sign(self, message: SignableMessage) -> bytes:
        """65 bytes r, s, v that recover to `address`, s low. Raises KeyDown."""
        ...


@dataclass(frozen=True)
class CosignRequest:
    """What the co-signer is asked to sign, with the signature that gives it the right to."""

    terms: dict[str, Any]
    to_buyer_units: int
    valid_until: int
    signature: str


class CosignRefused(Exception):
    """The co-signer's policy refused; the message says why. Asking again will not help."""


class Cosigner(Protocol):
    """The co-signer's process. Raises CosignRefused, or NodeDown while it cannot answer."""

    def cosign(self, request: CosignRequest) -> str: ...
