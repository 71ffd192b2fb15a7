"""A chain in memory, for tests of what follows one. Time moves only when a block is mined."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak
from otc_sdk.messages import Verify1271
from otc_sdk.policy import State
from otc_sdk.roles import Role, bits
from otc_sdk.terms import EscrowDomain, vault_address

from coordinator.domain.chain_logs import ESCROW_TOPICS, TRANSFER
from coordinator.services.ports import Header, NodeDown, RawLog

CHAIN_ID = 31337
GENESIS_TIME = 1_800_000_000
BLOCK_SECONDS = 1
TOPIC_OF = {name: topic for topic, name in ESCROW_TOPICS.items()}


def topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def words(*values: int) -> str:
    return "0x" + b"".join(value.to_bytes(32, "big") for value in values).hex()


@dataclass(frozen=True)
class Event:
    """What a transaction of the next block emits."""

    address: str
    topics: tuple[str, ...]
    data: str = "0x"


def transfer(token: str, sender: str, recipient: str, units: int) -> Event:
    return Event(token, (TRANSFER, topic(sender), topic(recipient)), words(units))


def settled(escrow: str, order_id: str, to_buyer_units: int) -> Event:
    roles = bits([Role.SELLER, Role.COORDINATOR])
    return Event(escrow, (TOPIC_OF["Settled"], order_id), words(roles, to_buyer_units))


def of_order(name: str, escrow: str, order_id: str) -> Event:
    return Event(escrow, (TOPIC_OF[name], order_id))


@dataclass
class FakeChain:
    """A ChainReader. Blocks above `final_number` can be reorged."""

    blocks: list[Header] = field(default_factory=list)
    logs: list[RawLog] = field(default_factory=list)
    final_number: int = 0
    forks: int = 0
    deployed: set[str] = field(default_factory=set)
    chain_id: int = CHAIN_ID
    says_1271: Verify1271 = field(default=lambda *_: False)

    def __post_init__(self) -> None:
        self.mine(at=GENESIS_TIME)

    @property
    def now(self) -> int:
        return self.blocks[-1].time

    def mine(self, *events: Event, at: int | None = None) -> Header:
        """Add a block with these events, a block time after the last, or at a time."""
        number = len(self.blocks)
        time = at if at is not None else self.now + BLOCK_SECONDS
        parent = self.blocks[-1].hash if self.blocks else "0x" + "00" * 32
        block_hash = "0x" + keccak(text=f"{self.chain_id} {parent} {number} {self.forks}").hex()
        header = Header(number, block_hash, parent, time)
        self.blocks.append(header)
        self.logs += [
            RawLog(
                block_hash=block_hash, block_number=number, log_index=index,
                tx_hash="0x" + keccak(text=f"{block_hash} {index}").hex(),
                address=event.address, topics=event.topics, data=event.data,
            )
            for index, event in enumerate(events)
        ]  # fmt: skip
        return header

    def finalize(self) -> None:
        self.final_number = len(self.blocks) - 1

    def reorg(self, depth: int) -> list[RawLog]:
        """Drop the newest blocks; the logs that vanished. What is mined next has other hashes."""
        self.forks += 1
        del self.blocks[-depth:]
        gone = [log for log in self.logs if log.block_number >= len(self.blocks)]
        self.logs = [log for log in self.logs if log.block_number < len(self.blocks)]
        return gone

    def head(self) -> Header:
        return self.blocks[-1]

    def final_head(self) -> Header:
        return self.blocks[self.final_number]

    def header(self, number: int) -> Header | None:
        return self.blocks[number] if number < len(self.blocks) else None

    def headers(self, numbers: Sequence[int]) -> list[Header]:
        if any(number >= len(self.blocks) for number in numbers):
            raise NodeDown("there is no such block")
        return [self.blocks[number] for number in numbers]

    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        return [e for e in self.logs if e.block_hash == block_hash and e.topics[0] in topics]

    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]:
        return [
            log
            for log in self.logs
            if first <= log.block_number <= last
            and address in (None, log.address)
            and all(fits(log, at, wanted) for at, wanted in enumerate(topics))
        ]

    def has_code(self, address: str, block: int | None = None) -> bool:
        """A contract that is there from the beginning, or the vault of a settled order."""
        return address in self.deployed or any(
            vault_address(
                EscrowDomain(self.chain_id, log.address), bytes.fromhex(log.topics[1][2:])
            )
            == address
            for log in self.until(block)
            if log.topics[0] == TOPIC_OF["Settled"]
        )

    def escrow_state(self, escrow: str, order_id: str, block: int | None = None) -> State:
        times = {
            log.topics[0]: self.blocks[log.block_number].time
            for log in self.until(block)
            if log.address == escrow and log.topics[1] == order_id
        }
        return State(times.get(TOPIC_OF["RefundRequested"], 0), times.get(TOPIC_OF["Disputed"], 0))

    def until(self, block: int | None) -> list[RawLog]:
        return [log for log in self.logs if block is None or log.block_number <= block]

    def token_balance(self, token: str, owner: str, block: int | None = None) -> int:
        moved = self.logs_in_range(
            0, len(self.blocks) if block is None else block, [TRANSFER], token
        )
        came = sum(int(log.data, 16) for log in moved if log.topics[2] == topic(owner))
        return came - sum(int(log.data, 16) for log in moved if log.topics[1] == topic(owner))

    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool:
        return self.says_1271(signer, digest, signature)


def fits(log: RawLog, at: int, wanted: Any) -> bool:
    """Whether a topic is the one asked for, one of them, or any."""
    if wanted is None:
        return True
    return at < len(log.topics) and log.topics[at] in (
        wanted if isinstance(wanted, list) else [wanted]
    )
