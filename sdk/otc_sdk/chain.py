"""An account that acts on the escrow with its own key and its own gas."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from eth_account.signers.base import BaseAccount
from eth_utils.abi import function_signature_to_4byte_selector
from web3 import Web3
from web3.exceptions import ContractLogicError, TimeExhausted, Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint, TxParams

from otc_sdk import calls, messages
from otc_sdk.artifacts import load
from otc_sdk.errors import ChainError
from otc_sdk.policy import State
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, vault_address

RECEIPT_TIMEOUT_SECONDS = 120
# Room between estimate and limit: a refused payout needs more gas than a taken one.
GAS_MARGIN_PERCENT = 130
# The most that one transaction may cost, in wei, unless the caller or the variable says otherwise.
MAX_FEE_WEI = 10**17
MAX_FEE = "OTC_MAX_FEE_WEI"
DECIMALS = function_signature_to_4byte_selector("decimals()")


@dataclass(frozen=True)
class Sent:
    """A transaction that was mined and succeeded."""

    tx_hash: str
    gas_used: int
    block_number: int
    contract: str | None = None


def connect(rpc_url: str, chain_id: int | None = None) -> Web3:
    """A connected client. Raises ChainError if the node is down or on another chain.

    The node is asked once for its chain: what was verified here is what is signed for later.
    """
    place = public_part(rpc_url)
    # Without the provider's own retries, a dead node is known at once.
    w3 = Web3(
        Web3.HTTPProvider(
            rpc_url,
            request_kwargs={"timeout": 10},
            exception_retry_configuration=None,
            cache_allowed_requests=True,
            cacheable_requests={RPCEndpoint("eth_chainId")},
        )
    )
    # Blocks of BNB chain and other proof-of-authority chains carry longer extra data.
    w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    try:
        actual = w3.eth.chain_id
    except (OSError, Web3Exception, ValueError, TypeError, AttributeError) as error:  # no JSON-RPC
        raise ChainError(f"no node answers at {place}: {fault(error)}") from error
    if chain_id is not None and actual != chain_id:
        raise ChainError(f"the node at {place} is on chain {actual}, not {chain_id}")
    return w3


def fault(error: Exception) -> str:
    """An error of the node or the way to it; a transport's own words repeat the secret URL."""
    return type(error).__name__ if isinstance(error, OSError) else str(error)


def public_part(url: str) -> str:
    """Scheme, host and port; path, query and user name may be secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


class Wallet:
    """An account that sends transactions with its own key and gas, and waits for each.

    `chain_id` is the chain to sign for, by default the one that `connect` found. `max_fee_wei` is
    the most that one transaction may cost, by default OTC_MAX_FEE_WEI, else MAX_FEE_WEI: fees are
    the node's word.
    """

    def __init__(
        self,
        w3: Web3,
        account: BaseAccount,
        chain_id: int | None = None,
        max_fee_wei: int | None = None,
    ) -> None:
        self.w3 = w3
        self.account = account
        self.chain_id = chain_id
        self.max_fee_wei = fee_ceiling() if max_fee_wei is None else max_fee_wei
        # Threads that share a wallet must not take the same nonce.
        self.nonces = Lock()

    def create(self, code: bytes) -> Sent:
        """Deploy a contract; `code` ends with its encoded arguments."""
        return self.send(None, code)

    def transfer(self, token: str, to: str, amount_units: int) -> Sent:
        return self.send(token, calls.transfer(to, amount_units))

    def send(self, to: str | None, data: bytes) -> Sent:
        """Sign, broadcast and wait. Raises ChainError."""
        call: TxParams = {"from": self.account.address, "data": data}
        if to is not None:
            call["to"] = Web3.to_checksum_address(to)
        try:
            with self.nonces:
                tx_hash = self.w3.eth.send_raw_transaction(self.signed(call))
            receipt = self.w3.eth.wait_for_transaction_receipt(
                tx_hash, timeout=RECEIPT_TIMEOUT_SECONDS, poll_latency=0.2
            )
        except ContractLogicError as error:
            raise ChainError(explain(error)) from error
        except TimeExhausted as error:
            raise ChainError(f"not mined within {RECEIPT_TIMEOUT_SECONDS} s: {error}") from error
        except (OSError, Web3Exception) as error:
            raise ChainError(f"the node refused: {fault(error)}") from error
        if receipt["status"] != 1:
            raise ChainError(f"transaction {tx_hash.to_0x_hex()} reverted")
        return Sent(
            tx_hash.to_0x_hex(),
            receipt["gasUsed"],
            receipt["blockNumber"],
            receipt["contractAddress"],
        )

    def signed(self, call: TxParams) -> bytes:
        """Raw transaction with gas, fees and the next nonce. Raises ChainError over the ceiling."""
        gas = self.w3.eth.estimate_gas(call) * GAS_MARGIN_PERCENT // 100
        price = fees(self.w3)
        self.require_affordable(gas * price.get("maxFeePerGas", price.get("gasPrice", 0)))
        transaction: Any = {
            **call,
            "gas": gas,
            "nonce": self.w3.eth.get_transaction_count(self.account.address, "pending"),
            "chainId": self.w3.eth.chain_id if self.chain_id is None else self.chain_id,
            **price,
        }
        return bytes(self.account.sign_transaction(transaction).raw_transaction)

    def require_affordable(self, cost_wei: int) -> None:
        """Raise ChainError if a transaction may cost more than the ceiling."""
        if cost_wei > self.max_fee_wei:
            raise ChainError(
                f"refused: by its node this takes up to {cost_wei} wei, over the ceiling of "
                f"{self.max_fee_wei} wei; {MAX_FEE} sets it"
            )


class EscrowAccount(Wallet):
    """The escrow's verbs for one account.

    Raises ChainError with the contract's own words if the chain refuses.
    """

    def __init__(self, w3: Web3, domain: EscrowDomain, account: BaseAccount) -> None:
        super().__init__(w3, account, domain.chain_id)
        self.domain = domain
        self.contract = w3.eth.contract(
            Web3.to_checksum_address(domain.escrow), abi=load("Escrow")["abi"]
        )

    def fund(self, terms: Terms, decimals: int | None = None) -> Sent:
        """Transfer the amount to the order's vault.

        `decimals` are those that the amount was reckoned with; None for an amount that nobody
        scaled. Raises ChainError before anything is sent if the token has others.
        """
        if decimals is not None:
            require_decimals(self.w3, terms.token, decimals)
        vault = vault_address(self.domain, terms.order_id(self.domain))
        return self.transfer(terms.token, vault, terms.amount_units)

    def settle(
        self,
        terms: Terms,
        to_buyer_units: int,
        valid_until: int,
        signatures: calls.Signatures | None = None,
    ) -> Sent:
        order_id = terms.order_id(self.domain)
        message = messages.settlement(self.domain, order_id, to_buyer_units, valid_until)
        signed = messages.as_sent(terms, message, signatures or {})
        data = calls.settle(terms, to_buyer_units, valid_until, signed)
        return self.send(self.domain.escrow, data)

    def request_refund(self, terms: Terms) -> Sent:
        return self.send(self.domain.escrow, calls.request_refund(terms))

    def dispute(self, terms: Terms, by: Role, signature: bytes = b"") -> Sent:
        return self.send(self.domain.escrow, calls.dispute(terms, by, signature))

    def claim(self, terms: Terms, to: str, valid_until: int = 0, signature: bytes = b"") -> Sent:
        return self.send(self.domain.escrow, calls.claim(terms, to, valid_until, signature))

    def sweep(self, terms: Terms, token: str) -> Sent:
        return self.send(self.domain.escrow, calls.sweep(terms, token))

    def state(self, order_id: bytes) -> State:
        raw = self.contract.functions.stateOf(order_id).call()
        return State(*raw)


def fee_ceiling(environ: Mapping[str, str] = os.environ) -> int:
    """The most that one transaction may cost, in wei. Raises ChainError if the variable is none."""
    text = environ.get(MAX_FEE) or str(MAX_FEE_WEI)
    if not re.fullmatch("[0-9]{1,30}", text):
        raise ChainError(f"{MAX_FEE} is not a whole number of wei")
    return int(text)


def require_decimals(w3: Web3, token: str, told: int) -> None:
    """Raise ChainError unless the token itself has the decimals that were told of it."""
    call: TxParams = {"to": Web3.to_checksum_address(token), "data": DECIMALS}
    try:
        answer = bytes(w3.eth.call(call))
    except (OSError, Web3Exception) as error:
        raise ChainError(f"the token {token} tells no decimals: {fault(error)}") from error
    if len(answer) != 32:
        raise ChainError(f"the token {token} tells no decimals")
    actual = int.from_bytes(answer, "big")
    if actual != told:
        raise ChainError(f"the token {token} has {actual} decimals on chain, not {told}")


def claim_of(w3: Web3, domain: EscrowDomain, order_id: bytes, owner: str) -> int:
    """Units of an order that the token refused to pay to `owner`, who may claim them."""
    escrow = w3.eth.contract(Web3.to_checksum_address(domain.escrow), abi=load("Escrow")["abi"])
    return int(escrow.functions.claimOf(order_id, Web3.to_checksum_address(owner)).call())


def fees(w3: Web3) -> dict[str, int]:
    """EIP-1559 fees from the node's suggestion.

    Twice the base fee leaves room for six full blocks.
    """
    block = w3.eth.get_block("latest")
    base = block.get("baseFeePerGas")
    if base is None:
        return {"gasPrice": w3.eth.gas_price}
    tip = w3.eth.max_priority_fee
    return {"maxFeePerGas": 2 * base + tip, "maxPriorityFeePerGas": tip}


def explain(error: ContractLogicError) -> str:
    """The contract's words for a refused call."""
    data = error.data
    if isinstance(data, str) and data.startswith("0x"):
        with suppress(ValueError):  # a node may say anything
            return calls.explain_revert(bytes.fromhex(data[2:]))
    return str(error)
