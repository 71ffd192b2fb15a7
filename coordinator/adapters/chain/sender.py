"""Signing and broadcasting transactions of one gas-paying key."""

from typing import Any

from eth_account.signers.base import BaseAccount
from hexbytes import HexBytes
from otc_sdk.chain import explain, fault
from otc_sdk.chain import fees as suggested_fees
from requests.exceptions import RequestException
from web3.exceptions import (
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)

from coordinator.adapters.chain.node import open_web3, outage
from coordinator.services.ports import NodeDown, Receipt, Reverted, SignedTransaction

# A replacement must raise both fees by this much to be taken by other nodes' pools.
REPLACEMENT_PERMILLE = 1125
# Answers to a broadcast that leave the outcome to the receipts.
HARMLESS = ("already known", "already imported", "nonce too low", "underpriced")


class Account:
    """A ChainSender. `max_fee_wei` is the most that one transaction may cost."""

    def __init__(self, rpc_url: str, chain_id: int, account: BaseAccount, max_fee_wei: int) -> None:
        self.w3 = open_web3(rpc_url)
        self.chain_id, self.account, self.max_fee_wei = chain_id, account, max_fee_wei

    @property
    def address(self) -> str:
        return str(self.account.address)

    @outage
    def transaction_count(self, block: int | None = None) -> int:
        where: Any = "latest" if block is None else block
        return self.w3.eth.get_transaction_count(self.account.address, where)

    def simulate(self, to: str, data: str) -> int:
        try:
            call: Any = {"from": self.address, "to": to, "data": data}
            return self.w3.eth.estimate_gas(call)
        except ContractLogicError as error:
            raise Reverted(explain(error)) from error
        except (RequestException, OSError, Web3Exception, ValueError) as error:
            raise NodeDown(f"the node failed to estimate gas: {fault(error)}") from error

    @outage
    def sign(
        self, to: str, data: str, nonce: int, gas: int, previous: dict[str, int] | None
    ) -> SignedTransaction:
        """Raises NodeDown also when the fee is above the ceiling: it waits for a cheaper time."""
        fees = self.fees(previous)
        price = fees.get("maxFeePerGas", fees.get("gasPrice", 0))
        if price * gas > self.max_fee_wei:
            raise NodeDown(f"a fee of {price * gas} wei is above the ceiling {self.max_fee_wei}")
        transaction: Any = {
            "to": to, "data": data, "nonce": nonce, "gas": gas, "value": 0,
            "chainId": self.chain_id, **fees,
        }  # fmt: skip
        signed = self.account.sign_transaction(transaction)
        return SignedTransaction(
            tx_hash=signed.hash.to_0x_hex(),
            raw=signed.raw_transaction.to_0x_hex(),
            fees={**fees, "gas": gas},
            max_fee_wei=price * gas,
        )

    def fees(self, previous: dict[str, int] | None) -> dict[str, int]:
        """Today's fees, at least REPLACEMENT_PERMILLE of the previous attempt's."""
        today = suggested_fees(self.w3)
        if previous is None:
            return today
        return {
            name: max(value, -(-previous.get(name, 0) * REPLACEMENT_PERMILLE // 1000))
            for name, value in today.items()
        }

    def broadcast(self, raw: str) -> None:
        try:
            self.w3.eth.send_raw_transaction(bytes.fromhex(raw[2:]))
        except Web3RPCError as error:
            if not any(word in str(error).lower() for word in HARMLESS):
                raise NodeDown(f"the node refused a transaction: {error}") from error
        except (RequestException, OSError, Web3Exception, ValueError) as error:
            raise NodeDown(f"the node failed to take a transaction: {fault(error)}") from error

    @outage
    def receipt(self, tx_hash: str) -> Receipt | None:
        try:
            found = self.w3.eth.get_transaction_receipt(HexBytes(tx_hash))
        except TransactionNotFound:
            return None
        return Receipt(
            tx_hash=tx_hash,
            block_number=found["blockNumber"],
            block_hash=found["blockHash"].to_0x_hex(),
            succeeded=found["status"] == 1,
            gas_used=found["gasUsed"],
        )
