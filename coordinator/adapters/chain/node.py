"""Reading a chain through one JSON-RPC node."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from otc_sdk.chain import fault
from requests.exceptions import RequestException
from web3 import Web3
from web3.exceptions import BlockNotFound, ContractLogicError, Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import FilterParams

from coordinator.services.ports import Header, NodeDown, RawLog

TIMEOUT_SECONDS = 10
ERC1271_MAGIC = bytes.fromhex("1626ba7e")
P = ParamSpec("P")
R = TypeVar("R")


def outage(function: Callable[P, R]) -> Callable[P, R]:
    """Turn every transport and protocol error into NodeDown."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (RequestException, OSError, Web3Exception, ValueError) as error:
            raise NodeDown(f"the node failed at {function.__name__}: {fault(error)}") from error

    return wrapped


def open_web3(rpc_url: str) -> Web3:
    """A client that does not retry by itself: the workers' loops do, and say so."""
    w3 = Web3(
        Web3.HTTPProvider(
            rpc_url,
            request_kwargs={"timeout": TIMEOUT_SECONDS},
            exception_retry_configuration=None,
        )
    )
    # Blocks of BNB chain and other proof-of-authority chains carry longer extra data.
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return w3


class Node:
    """A ChainReader. `finality` is "finalized" (the chain's own tag) or a number of blocks."""

    def __init__(self, rpc_url: str, finality: str) -> None:
        self.w3 = open_web3(rpc_url)
        self.finality = finality

    @outage
    def chain_id(self) -> int:
        return self.w3.eth.chain_id

    @outage
    def head(self) -> Header:
        return header_of(self.w3.eth.get_block("latest"))

    @outage
    def final_head(self) -> Header:
        if self.finality == "finalized":
            return header_of(self.w3.eth.get_block("finalized"))
        number = self.w3.eth.block_number - int(self.finality)
        return header_of(self.w3.eth.get_block(max(number, 0)))

    @outage
    def header(self, number: int) -> Header | None:
        try:
            return header_of(self.w3.eth.get_block(number))
        except BlockNotFound:
            return None

    @outage
    def logs_of_block(self, block_hash: str, topics: list[str]) -> list[RawLog]:
        query: Any = {"blockHash": block_hash, "topics": [topics]}
        return self.logs(query)

    @outage
    def logs_in_range(
        self, first: int, last: int, topics: list[Any], address: str | None
    ) -> list[RawLog]:
        query: Any = {"fromBlock": first, "toBlock": last, "topics": topics}
        if address is not None:
            query["address"] = address
        return self.logs(query)

    def logs(self, query: FilterParams) -> list[RawLog]:
        return [raw_log(entry) for entry in self.w3.eth.get_logs(query)]

    @outage
    def has_code(self, address: str) -> bool:
        return len(self.w3.eth.get_code(to_checksum_address(address))) > 0

    @outage
    def token_balance(self, token: str, owner: str, block: int | None = None) -> int:
        data = Web3.keccak(text="balanceOf(address)")[:4] + encode(["address"], [owner])
        where: Any = "latest" if block is None else block
        answer = self.w3.eth.call({"to": to_checksum_address(token), "data": data}, where)
        return int.from_bytes(answer, "big")

    @outage
    def verify_1271(self, signer: str, digest: bytes, signature: bytes) -> bool:
        """ERC-1271 on the latest block; False for an account without code."""
        if not self.has_code(signer):
            return False
        data = ERC1271_MAGIC + encode(["bytes32", "bytes"], [digest, signature])
        try:
            answer = self.w3.eth.call({"to": to_checksum_address(signer), "data": data})
        except ContractLogicError:
            return False
        return len(answer) == 32 and answer[:4] == ERC1271_MAGIC and not any(answer[4:])


def header_of(block: Any) -> Header:
    return Header(
        block["number"],
        block["hash"].to_0x_hex(),
        block["parentHash"].to_0x_hex(),
        block["timestamp"],
    )


def raw_log(entry: Any) -> RawLog:
    topics: Sequence[str] = [topic.to_0x_hex() for topic in entry["topics"]]
    return RawLog(
        block_hash=entry["blockHash"].to_0x_hex(),
        block_number=entry["blockNumber"],
        log_index=entry["logIndex"],
        tx_hash=entry["transactionHash"].to_0x_hex(),
        address=entry["address"],
        topics=topics,
        data=entry["data"].to_0x_hex(),
    )
