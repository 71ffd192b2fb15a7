"""Signing and broadcasting transactions of one gas-paying key."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from eth_abi.exceptions import DecodingError
from eth_account.signers.base import BaseAccount
from hexbytes import HexBytes
from otc_sdk.chain import explain, fault
from otc_sdk.messages import UINT256_MAX
from requests.exceptions import RequestException
from web3.exceptions import (
    BlockNotFound,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)

from coordinator.adapters.chain.answers import NONSENSE
from coordinator.adapters.chain.node import bounded, open_web3, outage, quantity, word
from coordinator.domain import fees as rules
from coordinator.domain.chain_logs import ESCROW_TOPICS
from coordinator.domain.gas import MAX_GAS
from coordinator.services.ports import (
    Call,
    FeeTooHigh,
    NodeDown,
    Receipt,
    Reverted,
    SignedTransaction,
    Trial,
)

log = structlog.get_logger()
# Answers to a broadcast that leave the outcome to the receipts.
HARMLESS = ("already known", "already imported", "nonce too low", "underpriced")
# Another node may answer by then, or the same one be a newer release.
NO_SIMULATION_SECONDS = 3600
# JSON-RPC's code for a method that a node does not have, and the words that some use instead.
METHOD_NOT_FOUND = "-32601"
MISSING = ("not found", "not supported", "not available", "unsupported", "unknown", "not exist")


class Account:
    """A ChainSender. `max_fee_wei` is the most that one transaction may cost, `max_gas` the most
    gas that one may be given: nodes that estimate more are not gone by while others do not.
    """

    def __init__(
        self,
        rpc_url: str,
        chain_id: int,
        account: BaseAccount,
        max_fee_wei: int,
        more_rpc_urls: Sequence[str] = (),
        max_gas: int = MAX_GAS,
    ) -> None:
        self.w3 = open_web3(rpc_url, *more_rpc_urls, max_gas=max_gas)
        self.chain_id, self.account, self.max_fee_wei = chain_id, account, max_fee_wei
        # Until then (monotonic seconds) batches are not tried: a node did not know how.
        self.no_simulation_until = 0.0

    @property
    def address(self) -> str:
        return str(self.account.address)

    @outage
    def balance(self) -> int:
        return bounded(self.w3.eth.get_balance(self.account.address), UINT256_MAX)

    @outage
    def transaction_count(self, block: int | str = "latest") -> int:
        where: Any = block
        return bounded(self.w3.eth.get_transaction_count(self.account.address, where))

    @outage
    def block_hash(self, number: int) -> str | None:
        try:
            return self.w3.eth.get_block(number)["hash"].to_0x_hex()
        except BlockNotFound:
            return None

    @outage
    def quote(self) -> dict[str, int]:
        """Today's fees; the gas price where the chain has no base fee."""
        history = self.fee_history()
        if history is None:
            return {"gasPrice": bounded(self.w3.eth.gas_price)}
        tip = 0 if any(history.tips) else bounded(self.w3.eth.max_priority_fee)
        return rules.dynamic(history, tip)

    def fee_history(self) -> rules.FeeHistory | None:
        """None where the chain, or the node, knows no base fee."""
        percentiles: list[Any] = [rules.TIP_PERCENTILE]
        try:
            found = self.w3.eth.fee_history(rules.TIP_BLOCKS, "latest", percentiles)
        except Web3RPCError as error:
            if not is_missing(error):
                raise
            return None
        bases: list[Any] = found.get("baseFeePerGas") or [0]
        rewards: list[Any] = found.get("reward") or []
        # Of a chain from before EIP-1559, nodes report base fees of zero.
        if not any(bases):
            return None
        return rules.FeeHistory(bounded(bases[-1]), [bounded(tips[0]) for tips in rewards if tips])

    def simulate(self, call: Call) -> int:
        try:
            return bounded(self.w3.eth.estimate_gas(self.fields(call)))
        except ContractLogicError as error:
            raise Reverted(explain(error)) from error
        except (RequestException, OSError, Web3Exception, DecodingError, *NONSENSE) as error:
            raise NodeDown(f"the node failed to estimate gas: {fault(error)}") from error

    def fields(self, call: Call) -> Any:
        return {"from": self.address, "to": call.to, "data": call.data}

    @outage
    def try_batch(self, call: Call, gas: int) -> Trial | None:
        """By `eth_simulateV1`: an estimate would be of a batch whose items all fail."""
        if time.monotonic() < self.no_simulation_until:
            return None
        calls = [{**self.fields(call), "gas": hex(gas)}]
        answer: Any = self.w3.provider.make_request(
            "eth_simulateV1",  # type: ignore[arg-type]
            [{"blockStateCalls": [{"calls": calls}]}, "latest"],
        )
        if "error" in answer:
            error = answer["error"]
            if is_missing(error):
                self.no_simulation_until = time.monotonic() + NO_SIMULATION_SECONDS
                log.warning("no batches", reason="the node has no eth_simulateV1")
                return None
            raise NodeDown(f"the node failed to simulate a batch: {error.get('message')}")
        [result] = answer["result"][0]["calls"]
        if int(result["status"], 16) != 1:
            raise Reverted("the batch reverts")
        return Trial(quantity(result["gasUsed"]), settled_in(call.to, result["logs"]))

    def sign(self, call: Call, nonce: int, gas: int, fees: Mapping[str, int]) -> SignedTransaction:
        cost = rules.price(fees) * gas
        if cost > self.max_fee_wei:
            raise FeeTooHigh(f"a fee of {cost} wei is above the ceiling {self.max_fee_wei}")
        transaction: Any = {
            "to": call.to, "data": call.data, "nonce": nonce, "gas": gas, "value": 0,
            "chainId": self.chain_id, **fees,
        }  # fmt: skip
        signed = self.account.sign_transaction(transaction)
        return SignedTransaction(
            tx_hash=signed.hash.to_0x_hex(),
            raw=signed.raw_transaction.to_0x_hex(),
            fees={**fees, "gas": gas},
            max_fee_wei=cost,
        )

    def turn(self) -> None:
        provider: Any = self.w3.provider
        provider.turn()

    def broadcast(self, raw: str) -> None:
        try:
            self.w3.eth.send_raw_transaction(bytes.fromhex(raw[2:]))
        except Web3RPCError as error:
            if not any(word in str(error).lower() for word in HARMLESS):
                raise NodeDown(f"the node refused a transaction: {error}") from error
            log.info("left to the receipts", answer=str(error))
        except (RequestException, OSError, Web3Exception, *NONSENSE) as error:
            raise NodeDown(f"the node failed to take a transaction: {fault(error)}") from error

    @outage
    def receipt(self, tx_hash: str) -> Receipt | None:
        try:
            found = self.w3.eth.get_transaction_receipt(HexBytes(tx_hash))
        except TransactionNotFound:
            return None
        gas_used = bounded(found["gasUsed"])
        return Receipt(
            tx_hash=tx_hash,
            block_number=bounded(found["blockNumber"]),
            block_hash=word(found["blockHash"].to_0x_hex()),
            succeeded=found["status"] == 1,
            gas_used=gas_used,
            fee_wei=gas_used * bounded(found.get("effectiveGasPrice", 0)),
            settled=settled_in(found["to"], found["logs"]),
        )


def settled_in(escrow: str, logs: Any) -> frozenset[str]:
    """Ids of the orders that the escrow says it settled."""
    return frozenset(
        HexBytes(entry["topics"][1]).to_0x_hex()
        for entry in logs
        if entry["address"].lower() == escrow.lower()
        and ESCROW_TOPICS.get(HexBytes(entry["topics"][0]).to_0x_hex()) == "Settled"
    )


def is_missing(error: object) -> bool:
    """Whether a node's error says that it does not have the method."""
    said = str(error).lower()
    return METHOD_NOT_FOUND in said or ("method" in said and any(w in said for w in MISSING))
