"""A node that speaks JSON-RPC about a chain in memory (methods as in execution-apis)."""

from collections.abc import Callable
from typing import Any

from eth_utils.address import to_checksum_address

from tests.simulation.abi import Revert, State
from tests.simulation.chain import (
    FAILED_GAS,
    Block,
    Chain,
    Receipt,
    Refused,
    find_receipt,
)

TIP_WEI = 10**9
ESTIMATE_PERCENT = 105
MAX_RANGE_BLOCKS = 10_000
MAX_FEE_HISTORY_BLOCKS = 1024
# JSON-RPC's code for a method that is not there, geth's for reverts and for refused requests.
NO_METHOD, REVERTED, BAD_REQUEST = -32601, 3, -32000
Json = dict[str, Any]


class RpcError(Exception):
    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.answer: Json = {"code": code, "message": message}
        if data is not None:
            self.answer["data"] = data


class FakeNode:
    """One node of a chain. `lag` it, and it answers as if the newest blocks were not there yet."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.stale: list[Block] | None = None

    def request(self, method: str, params: list[Any]) -> Json:
        """The `result` or `error` member of an answer."""
        act = METHODS.get(method)
        if act is None:
            return {"error": {"code": NO_METHOD, "message": f"Method not found: {method}"}}
        try:
            return {"result": act(self, *params)}
        except RpcError as refusal:
            return {"error": refusal.answer}

    def lag(self, blocks: int) -> None:
        """See only what is there now, less some blocks, until `catch_up`."""
        self.stale = self.chain.blocks[: max(1, len(self.chain.blocks) - blocks)]

    def catch_up(self) -> None:
        self.stale = None

    @property
    def blocks(self) -> list[Block]:
        return self.stale if self.stale is not None else self.chain.blocks

    @property
    def final_number(self) -> int:
        if self.stale is None:
            return self.chain.final_number
        seen = max(0, len(self.stale) - 1 - self.chain.finality)
        return min(seen, self.chain.final_number)

    def block_at(self, tag: Any) -> Block | None:
        if tag in ("latest", "pending", None):
            return self.blocks[-1]
        if tag in ("finalized", "safe"):
            return self.blocks[self.final_number]
        number = 0 if tag == "earliest" else as_int(tag)
        return self.blocks[number] if number < len(self.blocks) else None

    def state_at(self, tag: Any) -> tuple[State, int]:
        """State and time at a block."""
        by_hash = isinstance(tag, dict)
        block = self.block_of(tag["blockHash"]) if by_hash else self.block_at(tag)
        if block is None:
            raise RpcError(BAD_REQUEST, "header not found")
        return block.state, block.time

    def block_of(self, block_hash: str) -> Block | None:
        return next((b for b in reversed(self.blocks) if b.hash == block_hash), None)

    # Methods

    def chain_id(self) -> str:
        return hex(self.chain.contracts.domain.chain_id)

    def block_number(self) -> str:
        return hex(self.blocks[-1].number)

    def get_block_by_number(self, tag: Any, full: bool = False) -> Json | None:
        block = self.block_at(tag)
        return None if block is None else block_json(block)

    def get_block_by_hash(self, block_hash: str, full: bool = False) -> Json | None:
        block = self.block_of(block_hash)
        return None if block is None else block_json(block)

    def get_logs(self, query: Json) -> list[Json]:
        return [
            log_json(block, index, receipt, event)
            for block in self.blocks_of_query(query)
            for index, receipt, event in block.events
            if fits_address(event.address, query.get("address"))
            and fits_topics(event.topics, query.get("topics") or [])
        ]

    def blocks_of_query(self, query: Json) -> list[Block]:
        if "blockHash" in query:
            block = self.block_of(query["blockHash"])
            if block is None:
                raise RpcError(BAD_REQUEST, "unknown block")
            return [block]
        first = self.block_at(query.get("fromBlock", "latest"))
        last = self.block_at(query.get("toBlock", "latest")) or self.blocks[-1]
        if first is None:
            return []
        if last.number - first.number >= MAX_RANGE_BLOCKS:
            raise RpcError(BAD_REQUEST, f"a range has at most {MAX_RANGE_BLOCKS} blocks")
        return self.blocks[first.number : last.number + 1]

    def get_code(self, address: str, tag: Any = "latest") -> str:
        state, _ = self.state_at(tag)
        code = self.chain.contracts.code_at(state, to_checksum_address(address))
        return "0x" + code.hex()

    def call(self, call: Json, tag: Any = "latest") -> str:
        return "0x" + self.run(call, tag).answer.hex()

    def estimate_gas(self, call: Json, tag: Any = "latest") -> str:
        return hex(self.run(call, tag).gas * ESTIMATE_PERCENT // 100)

    def run(self, call: Json, tag: Any) -> Any:
        state, time = self.state_at(tag)
        data = bytes.fromhex((call.get("data") or call.get("input") or "0x")[2:])
        sender = to_checksum_address(call.get("from", "0x" + "00" * 20))
        try:
            return self.chain.contracts.run(
                state, sender, to_checksum_address(call["to"]), data, time
            )
        except Revert as refusal:
            raise RpcError(REVERTED, "execution reverted", "0x" + refusal.data.hex()) from refusal

    def simulate(self, request: Json, tag: Any = "latest") -> list[Json]:
        """eth_simulateV1 (execution-apis) of the calls of one block, one after the other."""
        block = self.block_at(tag) or self.blocks[-1]
        state, answers = block.state, []
        for call in request["blockStateCalls"][0]["calls"]:
            done, state = self.simulated(block, state, call)
            answers.append(done)
        return [{"number": hex(block.number + 1), "calls": answers}]

    def simulated(self, block: Block, state: State, call: Json) -> tuple[Json, State]:
        sender, to = to_checksum_address(call["from"]), to_checksum_address(call["to"])
        try:
            done = self.chain.contracts.run(
                state, sender, to, bytes.fromhex(call["data"][2:]), block.time
            )
        except Revert as refusal:
            failed = {"code": REVERTED, "message": "execution reverted"}
            return {
                "status": "0x0", "gasUsed": hex(FAILED_GAS), "logs": [], "error": failed,
                "returnData": "0x" + refusal.data.hex(),
            }, state  # fmt: skip
        logs = [
            {
                "address": event.address,
                "topics": list(event.topics),
                "data": "0x" + event.data.hex(),
            }
            for event in done.events
        ]
        return {
            "status": "0x1", "gasUsed": hex(done.gas), "logs": logs,
            "returnData": "0x" + done.answer.hex(),
        }, done.state  # fmt: skip

    def get_transaction_count(self, address: str, tag: Any = "latest") -> str:
        sender = to_checksum_address(address)
        if tag == "pending" and self.stale is None:
            return hex(self.chain.next_nonce(sender))
        state, _ = self.state_at(tag)
        return hex(state.nonces.get(sender, 0))

    def get_balance(self, address: str, tag: Any = "latest") -> str:
        state, _ = self.state_at(tag)
        return hex(state.coins.get(to_checksum_address(address), 0))

    def send_raw_transaction(self, raw: str) -> str:
        try:
            return self.chain.submit_raw(bytes.fromhex(raw[2:]))
        except Refused as refusal:
            raise RpcError(BAD_REQUEST, str(refusal)) from refusal

    def get_transaction_receipt(self, tx_hash: str) -> Json | None:
        found = find_receipt(self.blocks, tx_hash)
        if found is None:
            return None
        block, index, receipt = found
        return receipt_json(block, index, receipt)

    def get_transaction_by_hash(self, tx_hash: str) -> Json | None:
        found = find_receipt(self.blocks, tx_hash)
        block, transaction = (found[0], found[2].transaction) if found else (None, None)
        if transaction is None:
            pooled = (t for t in self.chain.pool.values() if t.hash == tx_hash)
            transaction = next(pooled, None)
        if transaction is None:
            return None
        return {
            "hash": transaction.hash, "from": transaction.sender, "to": transaction.to,
            "nonce": hex(transaction.nonce), "input": "0x" + transaction.data.hex(),
            "value": hex(transaction.value), "gas": hex(transaction.gas), "type": "0x2",
            "blockHash": block.hash if block else None,
            "blockNumber": hex(block.number) if block else None,
            "maxFeePerGas": hex(transaction.max_fee),
            "maxPriorityFeePerGas": hex(transaction.tip),
        }  # fmt: skip

    def gas_price(self) -> str:
        return hex(self.chain.base_fee + TIP_WEI)

    def max_priority_fee(self) -> str:
        return hex(TIP_WEI)

    def fee_history(self, count: Any, newest: Any, percentiles: list[float] | None = None) -> Json:
        last = self.block_at(newest)
        if last is None:
            raise RpcError(BAD_REQUEST, "request beyond head block")
        wanted = min(as_int(count), MAX_FEE_HISTORY_BLOCKS, last.number + 1)
        blocks = self.blocks[last.number + 1 - wanted : last.number + 1]
        rewards = [[hex(TIP_WEI) for _ in percentiles or []] for _ in blocks]
        return {
            "oldestBlock": hex(last.number + 1 - wanted),
            "baseFeePerGas": [hex(b.base_fee) for b in blocks] + [hex(self.chain.base_fee)],
            "gasUsedRatio": [0.5 for _ in blocks],
            **({"reward": rewards} if percentiles else {}),
        }

    def client_version(self) -> str:
        return "otc-fake-node"


METHODS: dict[str, Callable[..., Any]] = {
    "eth_chainId": FakeNode.chain_id,
    "net_version": FakeNode.chain_id,
    "web3_clientVersion": FakeNode.client_version,
    "eth_blockNumber": FakeNode.block_number,
    "eth_getBlockByNumber": FakeNode.get_block_by_number,
    "eth_getBlockByHash": FakeNode.get_block_by_hash,
    "eth_getLogs": FakeNode.get_logs,
    "eth_getCode": FakeNode.get_code,
    "eth_call": FakeNode.call,
    "eth_estimateGas": FakeNode.estimate_gas,
    "eth_simulateV1": FakeNode.simulate,
    "eth_getTransactionCount": FakeNode.get_transaction_count,
    "eth_getBalance": FakeNode.get_balance,
    "eth_sendRawTransaction": FakeNode.send_raw_transaction,
    "eth_getTransactionReceipt": FakeNode.get_transaction_receipt,
    "eth_getTransactionByHash": FakeNode.get_transaction_by_hash,
    "eth_gasPrice": FakeNode.gas_price,
    "eth_maxPriorityFeePerGas": FakeNode.max_priority_fee,
    "eth_feeHistory": FakeNode.fee_history,
}


def as_int(value: Any) -> int:
    return value if isinstance(value, int) else int(value, 16)


def fits_address(address: str, wanted: Any) -> bool:
    if wanted is None:
        return True
    some = [wanted] if isinstance(wanted, str) else wanted
    return address.lower() in {w.lower() for w in some}


def fits_topics(topics: tuple[str, ...], wanted: list[Any]) -> bool:
    """As eth_getLogs matches: by position; null is any, a list is one of these."""
    return len(topics) >= len(wanted) and all(
        some is None or topic in ([some] if isinstance(some, str) else some)
        for topic, some in zip(topics, wanted, strict=False)
    )


def block_json(block: Block) -> Json:
    return {
        "number": hex(block.number), "hash": block.hash, "parentHash": block.parent_hash,
        "timestamp": hex(block.time), "logsBloom": "0x" + block.bloom.hex(),
        "baseFeePerGas": hex(block.base_fee), "gasLimit": hex(30_000_000),
        "gasUsed": hex(sum(r.gas_used for r in block.receipts)), "extraData": "0x",
        "miner": "0x" + "00" * 20, "difficulty": "0x0", "nonce": "0x" + "00" * 8,
        "mixHash": "0x" + "00" * 32, "size": "0x0", "stateRoot": "0x" + "00" * 32,
        "receiptsRoot": "0x" + "00" * 32, "transactionsRoot": "0x" + "00" * 32,
        "sha3Uncles": "0x" + "00" * 32, "uncles": [],
        "transactions": [r.transaction.hash for r in block.receipts],
    }  # fmt: skip


def log_json(block: Block, index: int, receipt: Receipt, event: Any) -> Json:
    position = [r.transaction.hash for r in block.receipts].index(receipt.transaction.hash)
    return {
        "blockHash": block.hash, "blockNumber": hex(block.number), "logIndex": hex(index),
        "transactionHash": receipt.transaction.hash, "transactionIndex": hex(position),
        "address": event.address.lower(), "topics": list(event.topics),
        "data": "0x" + event.data.hex(), "removed": False,
    }  # fmt: skip


def receipt_json(block: Block, index: int, receipt: Receipt) -> Json:
    transaction = receipt.transaction
    logs = [log_json(block, i, r, e) for i, r, e in block.events if r is receipt]
    price = min(transaction.max_fee, block.base_fee + transaction.tip)
    return {
        "transactionHash": transaction.hash, "transactionIndex": hex(index),
        "blockHash": block.hash, "blockNumber": hex(block.number), "from": transaction.sender,
        "to": transaction.to, "gasUsed": hex(receipt.gas_used), "logs": logs,
        "cumulativeGasUsed": hex(sum(r.gas_used for r in block.receipts[: index + 1])),
        "effectiveGasPrice": hex(price), "contractAddress": None, "type": "0x2",
        "logsBloom": "0x" + block.bloom.hex(), "status": hex(receipt.succeeded),
    }  # fmt: skip
