"""A chain in memory: blocks with the state after each, a pool of transactions, reorgs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from tests.simulation.abi import Event, Revert, State
from tests.simulation.contracts import Contracts

GENESIS_TIME = 1_800_000_000
BLOCK_SECONDS = 12
BASE_FEE_WEI = 10**9
BLOOM_BYTES = 256
# A replacement must raise both fees by this much, as nodes ask (geth: price bump).
REPLACEMENT_PERCENT = 110
MAX_POOL = 1_000
# What a transaction has burnt when it reverts.
FAILED_GAS = 60_000


class Refused(Exception):
    """The pool does not take a transaction."""


@dataclass(frozen=True)
class Transaction:
    """`raw` is empty for one that the world made itself, without a signature."""

    hash: str
    sender: str
    nonce: int
    to: str
    data: bytes
    gas: int
    max_fee: int
    tip: int
    value: int = 0
    raw: bytes = b""


@dataclass(frozen=True)
class Receipt:
    transaction: Transaction
    succeeded: bool
    gas_used: int
    first_log: int
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Block:
    """`state` is the chain's after the block; nobody changes it."""

    number: int
    hash: str
    parent_hash: str
    time: int
    base_fee: int
    receipts: tuple[Receipt, ...]
    state: State
    bloom: bytes

    @property
    def events(self) -> list[tuple[int, Receipt, Event]]:
        """(log index, receipt, event) in order."""
        return [
            (receipt.first_log + at, receipt, event)
            for receipt in self.receipts
            for at, event in enumerate(receipt.events)
        ]


@lru_cache(8192)
def bloom_bits(value: str) -> int:
    """The three bits of an address or a topic in a log bloom (yellow paper, 4.3.1)."""
    hashed = keccak(bytes.fromhex(value[2:]))
    found = 0
    for at in (0, 2, 4):
        found |= 1 << (int.from_bytes(hashed[at : at + 2], "big") & 2047)
    return found


def bloom_of(events: Sequence[Event]) -> bytes:
    found = 0
    for event in events:
        for value in (event.address, *event.topics):
            found |= bloom_bits(value)
    return found.to_bytes(BLOOM_BYTES, "big")


@lru_cache(2048)
def decode_raw(raw: bytes) -> Transaction:
    """A signed EIP-1559 transaction, its sender recovered. Raises Refused."""
    try:
        values = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        sender = Account.recover_transaction(raw)
    except Exception as wrong:
        raise Refused("failed to decode signed transaction") from wrong
    return Transaction(
        hash="0x" + keccak(raw).hex(), sender=sender, nonce=values["nonce"],
        to=to_checksum_address(values["to"]), data=bytes(values["data"]), gas=values["gas"],
        max_fee=values["maxFeePerGas"], tip=values["maxPriorityFeePerGas"],
        value=values["value"], raw=raw,
    )  # fmt: skip


@dataclass
class Chain:
    """`blocks` are the canonical ones. What is `finality` blocks deep stays, but for `reorg`."""

    contracts: Contracts
    finality: int
    genesis: State
    base_fee: int = BASE_FEE_WEI
    blocks: list[Block] = field(default_factory=list)
    pool: dict[tuple[str, int], Transaction] = field(default_factory=dict)
    # Every signed transaction that a node was ever given: what could be mined one day.
    submitted: dict[str, Transaction] = field(default_factory=dict)
    final_number: int = 0
    forks: int = 0
    on_block: Callable[[Block], None] | None = None

    def __post_init__(self) -> None:
        self.mine(at=GENESIS_TIME)

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    @property
    def final(self) -> Block:
        return self.blocks[self.final_number]

    @property
    def now(self) -> int:
        return self.head.time

    # Transactions

    def submit_raw(self, raw: bytes) -> str:
        """Take a signed transaction into the pool. Raises Refused in a node's words."""
        transaction = decode_raw(raw)
        self.submit(transaction)
        self.submitted[transaction.hash] = transaction
        return transaction.hash

    def submit(self, transaction: Transaction) -> None:
        key = transaction.sender, transaction.nonce
        there = self.pool.get(key)
        state = self.head.state
        if there is not None and there.hash == transaction.hash:
            raise Refused("already known")
        used = state.nonces.get(transaction.sender, 0)
        if transaction.nonce < used:
            raise Refused(f"nonce too low: next nonce {used}, tx nonce {transaction.nonce}")
        cost = transaction.gas * transaction.max_fee + transaction.value
        if cost > state.coins.get(transaction.sender, 0):
            raise Refused("insufficient funds for gas * price + value")
        if there is not None and not raises_fees(there, transaction):
            raise Refused("replacement transaction underpriced")
        if len(self.pool) >= MAX_POOL:
            raise Refused("txpool is full")
        self.pool[key] = transaction

    def call(self, sender: str, to: str, data: bytes) -> str:
        """A transaction of somebody in the world, unsigned; the next block has it."""
        nonce = self.next_nonce(sender)
        made = "0x" + keccak(sender.encode() + nonce.to_bytes(8, "big") + data).hex()
        self.pool[sender, nonce] = Transaction(
            made, sender, nonce, to, data, gas=10**7, max_fee=10**12, tip=10**9
        )
        return made

    def next_nonce(self, sender: str) -> int:
        nonce = self.head.state.nonces.get(sender, 0)
        while (sender, nonce) in self.pool:
            nonce += 1
        return nonce

    # Blocks

    def mine(self, at: int | None = None, most: int | None = None) -> Block:
        """Add a block with what the pool has for it, at a time or a block's time after the last."""
        parent = self.blocks[-1] if self.blocks else None
        time = at if at is not None else (parent.time + BLOCK_SECONDS if parent else GENESIS_TIME)
        state = parent.state if parent else self.genesis
        receipts: list[Receipt] = []
        while most is None or len(receipts) < most:
            transaction = self.next_to_mine(state)
            if transaction is None:
                break
            state, receipt = self.apply(state, transaction, time, receipts)
            receipts.append(receipt)
            del self.pool[transaction.sender, transaction.nonce]
        block = self.seal(parent, time, receipts, state)
        self.blocks.append(block)
        self.final_number = max(self.final_number, len(self.blocks) - 1 - self.finality)
        if self.on_block is not None:
            self.on_block(block)
        return block

    def next_to_mine(self, state: State) -> Transaction | None:
        """The best paid of those whose nonce is next and whose fee covers the base fee."""
        for key in [k for k in self.pool if k[1] < state.nonces.get(k[0], 0)]:
            del self.pool[key]
        ready = [
            t
            for t in self.pool.values()
            if t.nonce == state.nonces.get(t.sender, 0) and t.max_fee >= self.base_fee
        ]
        return max(ready, key=lambda t: (t.tip, t.hash), default=None)

    def apply(
        self, before: State, transaction: Transaction, time: int, receipts: list[Receipt]
    ) -> tuple[State, Receipt]:
        first_log = sum(len(r.events) for r in receipts)
        succeeded, events, gas = True, (), transaction.gas
        state = before
        try:
            call = self.contracts.run(
                before, transaction.sender, transaction.to, transaction.data, time
            )
            succeeded = call.gas <= transaction.gas
            if succeeded:
                state, events, gas = call.state, tuple(call.events), call.gas
        except Revert:
            succeeded, gas = False, min(transaction.gas, FAILED_GAS)
        state = state if state is not before else before.copy()
        price = min(transaction.max_fee, self.base_fee + transaction.tip)
        held = state.coins.get(transaction.sender, 0)
        state.coins[transaction.sender] = held - (gas * price if transaction.raw else 0)
        state.nonces[transaction.sender] = transaction.nonce + 1
        return state, Receipt(transaction, succeeded, gas, first_log, events)

    def seal(self, parent: Block | None, time: int, receipts: list[Receipt], state: State) -> Block:
        number = parent.number + 1 if parent else 0
        parent_hash = parent.hash if parent else "0x" + "00" * 32
        content = f"{parent_hash} {time} {self.forks} {[r.transaction.hash for r in receipts]}"
        return Block(
            number, "0x" + keccak(text=content).hex(), parent_hash, time, self.base_fee,
            tuple(receipts), state, bloom_of([e for r in receipts for e in r.events]),
        )  # fmt: skip

    def reorg(self, depth: int, survives: Callable[[Transaction], bool]) -> None:
        """Drop the newest blocks; their transactions go back to the pool if they survive.

        The final mark stays where it is: below it, a chain has broken its promise.
        """
        self.forks += 1
        dropped = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.final_number = min(self.final_number, len(self.blocks) - 1)
        for block in dropped:
            for receipt in block.receipts:
                transaction = receipt.transaction
                key = transaction.sender, transaction.nonce
                if survives(transaction) and key not in self.pool:
                    self.pool[key] = transaction


def raises_fees(old: Transaction, new: Transaction) -> bool:
    return (
        new.max_fee * 100 >= old.max_fee * REPLACEMENT_PERCENT
        and new.tip * 100 >= old.tip * REPLACEMENT_PERCENT
    )


def find_receipt(blocks: Sequence[Block], tx_hash: str) -> tuple[Block, int, Receipt] | None:
    """A transaction's block, its index in it, and its receipt."""
    for block in reversed(blocks):
        for index, receipt in enumerate(block.receipts):
            if receipt.transaction.hash == tx_hash:
                return block, index, receipt
    return None
