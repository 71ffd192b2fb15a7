"""Reading a chain through one JSON-RPC node."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from otc_sdk.chain import fault, public_part
from otc_sdk.policy import State
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint

from coordinator.adapters.chain.answers import NONSENSE
from coordinator.adapters.chain.failover import Failover, OwnAnswers
from coordinator.domain.chain_logs import checksummed
from coordinator.domain.gas import MAX_GAS
from coordinator.services import metrics
from coordinator.services.ports import Header, NodeDown, RawLog

GET_BLOCK = RPCEndpoint("eth_getBlockByNumber")
ERC1271_MAGIC = bytes.fromhex("1626ba7e")
BALANCE_OF = keccak(text="balanceOf(address)")[:4]
STATE_OF = keccak(text="stateOf(bytes32)")[:4]
# What geth and anvil (3) and Nethermind (-32015) answer when the call itself reverted.
REVERTED_CODES = (3, -32015)
WORD_CHARS = 2 + 64
# What the database holds: block numbers and times, and the index of a log.
MAX_NUMBER = 2**63 - 1
MAX_LOG_INDEX = 2**31 - 1
# Headers in one request; providers take a hundred.
BATCH_SIZE = 100
P = ParamSpec("P")
R = TypeVar("R")


class RpcError(Exception):
    """The node answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def outage(function: Callable[P, R]) -> Callable[P, R]:
    """Turn every transport and protocol error, and every malformed answer, into NodeDown."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (RequestException, OSError, Web3Exception, RpcError) as error:
            raise NodeDown(f"the node failed at {function.__name__}: {fault(error)}") from error
        except NONSENSE as error:
            reason = f"the node's answer to {function.__name__} makes no sense: {error!r}"
            raise NodeDown(reason[:500]) from error

    return wrapped


def open_web3(*rpc_urls: str, max_gas: int = MAX_GAS) -> Web3:
    """A client of the first node that answers; estimates above `max_gas` are of no use to it."""
    w3 = Web3(Failover([OwnAnswers(url) for url in rpc_urls], max_gas))
    # Blocks of BNB chain and other proof-of-authority chains carry longer extra data.
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return w3


class Node:
    """A ChainReader. `finality` is "finalized" (the chain's own tag) or a number of blocks.

    It speaks JSON-RPC itself: web3's formatting of logs costs ten times their decoding.
    """

    def __init__(self, rpc_url: str, finality: str) -> None:
        self.provider = OwnAnswers(rpc_url)
        self.name = public_part(rpc_url)
        self.finality = finality

    def ask(self, method: str, *params: Any) -> Any:
        """The result. Raises RpcError, or what the transport raises."""
        with metrics.rpc(self.name, method):
            answer: Any = self.provider.make_request(RPCEndpoint(method), list(params))
            if answer.get("error") is not None:
                error = answer["error"]
                raise RpcError(int(error.get("code", 0)), str(error.get("message", ""))[:300])
            return answer["result"]

    @outage
    def chain_id(self) -> int:
        return int(self.ask("eth_chainId"), 16)

    @outage
    def head(self) -> Header:
        return header_of(self.ask("eth_getBlockByNumber", "latest", False))

    @outage
    def final_head(self) -> Header:
        if self.finality == "finalized":
            return header_of(self.ask("eth_getBlockByNumber", "finalized", False))
        number = int(self.ask("eth_blockNumber"), 16) - int(self.finality)
        return header_of(self.ask("eth_getBlockByNumber", hex(max(number, 0)), False))

    @outage
    def header(self, number: int) -> Header | None:
        """None if the node has not come to this block."""
        block = self.ask("eth_getBlockByNumber", hex(number), False)
        if block is None:
            return None
        header = header_of(block)
        if header.number != number:
            raise ValueError(f"block {header.number} in place of {number}")
        return header

    @outage
    def headers(self, numbers: Sequence[int]) -> list[Header]:
        """Headers of blocks that must be there, in this order, BATCH_SIZE in one request."""
        found: list[Header] = []
        for at in range(0, len(numbers), BATCH_SIZE):
            some = numbers[at : at + BATCH_SIZE]
            asked = [(GET_BLOCK, [hex(number), False]) for number in some]
            answers: Any = self.provider.make_batch_request(asked)
            by_id = sorted(answers, key=lambda answer: answer["id"])
            found += [header_of(answer["result"]) for answer in by_id]
        if [header.number for header in found] != list(numbers):
            raise ValueError("other blocks than those asked for")
        return found

    @outage
    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        logs = self.logs({"blockHash": block_hash, "topics": [topics]})
        if any(log.block_hash != block_hash for log in logs):
            raise ValueError("logs of another block")
        return logs

    @outage
    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]:
        query: Any = {"fromBlock": hex(first), "toBlock": hex(last), "topics": topics}
        if address is not None:
            query["address"] = address
        logs = self.logs(query)
        if any(not first <= log.block_number <= last for log in logs):
            raise ValueError("logs of other blocks")
        return logs

    def logs(self, query: dict[str, Any]) -> list[RawLog]:
        found = self.ask("eth_getLogs", query)
        return [raw_log(entry) for entry in found if not entry.get("removed")]

    @outage
    def has_code(self, address: str, block: int | None = None) -> bool:
        return bool(data_of(self.ask("eth_getCode", address, tag(block))))

    @outage
    def token_balance(self, token: str, owner: str, block: int | None = None) -> int:
        return number_of(self.call(token, BALANCE_OF + encode(["address"], [owner]), block))

    @outage
    def escrow_state(self, escrow: str, order_id: str, block: int | None = None) -> State:
        answer = self.call(escrow, STATE_OF + bytes.fromhex(order_id[2:]), block)
        return State(number_of(answer[:32]), number_of(answer[32:]))

    @outage
    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool:
        """ERC-1271 on the latest block; False for an account without code."""
        if not data_of(self.ask("eth_getCode", signer, "latest")):
            return False
        data = ERC1271_MAGIC + encode(["bytes32", "bytes"], [digest, signature])
        try:
            answer = self.call(signer, data)
        except RpcError as error:
            if error.code in REVERTED_CODES or "revert" in str(error).lower():
                return False
            raise
        return len(answer) == 32 and answer[:4] == ERC1271_MAGIC and not any(answer[4:])

    def call(self, to: str, data: bytes, block: int | None = None) -> bytes:
        return data_of(self.ask("eth_call", {"to": to, "data": "0x" + data.hex()}, tag(block)))


def tag(block: int | None) -> str:
    return "latest" if block is None else hex(block)


def data_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def number_of(word: bytes) -> int:
    """Raises ValueError unless it is one word: a contract that answers otherwise is not asked."""
    if len(word) != 32:
        raise ValueError(f"{len(word)} bytes in place of a word")
    return int.from_bytes(word, "big")


def quantity(text: str, highest: int = MAX_NUMBER) -> int:
    """A number that the books can hold. Raises ValueError for another."""
    return bounded(int(text, 16), highest)


def bounded(number: Any, highest: int = MAX_NUMBER) -> int:
    """The number, if the books can hold it. Raises ValueError for another, and for what is none."""
    if type(number) is not int or not 0 <= number <= highest:
        raise ValueError(f"{str(number)[:80]} is no number between 0 and {highest}")
    return number


def header_of(block: Any) -> Header:
    return Header(
        number=quantity(block["number"]),
        hash=word(block["hash"]),
        parent_hash=word(block["parentHash"]),
        time=quantity(block["timestamp"]),
        bloom=int(block["logsBloom"], 16),
    )


def word(text: str) -> str:
    """Hex of 32 bytes, as given. Raises ValueError."""
    if len(text) != WORD_CHARS or not text.startswith("0x"):
        raise ValueError(f"{text[:80]} is not a word")
    bytes.fromhex(text[2:])
    return text.lower()


def raw_log(entry: Any) -> RawLog:
    return RawLog(
        block_hash=word(entry["blockHash"]),
        block_number=quantity(entry["blockNumber"]),
        log_index=quantity(entry["logIndex"], MAX_LOG_INDEX),
        tx_hash=word(entry["transactionHash"]),
        address=checksummed(entry["address"]),
        topics=tuple(word(topic) for topic in entry["topics"]),
        data="0x" + data_of(entry["data"]).hex(),
        block_time=quantity(time) if (time := entry.get("blockTimestamp")) is not None else None,
    )
