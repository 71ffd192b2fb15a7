"""A Safe: making one, proving what it is, and what its owners sign. For panel.py and treasury.py.

The hash of a Safe transaction and the order of its signatures are ape-safe's; everything else goes
straight to the Safe's contracts (docs/decisions/0005-safes-without-their-service.md).
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ape_safe.utils import encode_signatures, get_safe_tx_hash
from eip712.common import ZERO_ADDRESS, create_safe_tx_def
from eth_abi.abi import encode
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.base import BaseAccount
from eth_typing import HexStr
from otc_sdk import messages
from otc_sdk.calls import call
from otc_sdk.chain import GAS_MARGIN_PERCENT, Sent, Wallet, explain, fees
from otc_sdk.deployment import (
    CREATE2_DEPLOYER,
    SALT,
    balance_wei,
    code_at,
    in_coins,
    node_errors,
    require_create2_deployer,
    require_idle,
)
from otc_sdk.errors import ChainError, SignatureError
from otc_sdk.terms import create2_address, digest
from web3 import Web3
from web3.exceptions import ContractLogicError
from web3.logs import DISCARD

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "node_modules/@safe-global/safe-smart-account/build/artifacts/contracts"
HANDLER = "CompatibilityFallbackHandler"
SOURCES = {
    "Safe": "Safe.sol",
    "SafeL2": "SafeL2.sol",
    "SafeProxy": "proxies/SafeProxy.sol",
    "SafeProxyFactory": "proxies/SafeProxyFactory.sol",
    HANDLER: "handler/CompatibilityFallbackHandler.sol",
}
PLACED = ("Safe", "SafeProxyFactory", HANDLER)
SINGLETONS = ("Safe", "SafeL2")
# ape-safe knows versions up to this one; the transactions of 1.5.0 are hashed in the same way.
HASHED_AS_VERSION = "1.4.1"
HANDLER_SLOT = int.from_bytes(Web3.keccak(text="fallback_manager.handler.address"))
GUARD_SLOT = int.from_bytes(Web3.keccak(text="guard_manager.guard.address"))
FIRST_MODULE = "0x" + "00" * 19 + "01"
# A proxy cannot be estimated before its factory is there; it takes 300,000.
CREATE_GAS = 500_000
# One owner alone must never be the Safe, and losing one key must never be losing the Safe.
MIN_OWNERS, MIN_THRESHOLD = 3, 2


@cache
def artifact(name: str) -> dict[str, Any]:
    """ABI and bytecode of one of Safe's contracts, as they were published."""
    path = ARTIFACTS / SOURCES[name] / f"{name}.json"
    if not path.exists():
        raise ChainError(f"Safe's contracts are missing: {path.name}; run `make safe`")
    return dict(json.loads(path.read_text()))


def init_code(name: str) -> bytes:
    return bytes.fromhex(artifact(name)["bytecode"][2:])


def runtime(name: str) -> bytes:
    return bytes.fromhex(artifact(name)["deployedBytecode"][2:])


def place_of(name: str) -> str:
    """Where `create` puts one of Safe's contracts: the same address on every chain."""
    return create2_address(CREATE2_DEPLOYER, SALT, init_code(name))


def contract(w3: Web3, safe: str) -> Any:
    return w3.eth.contract(Web3.to_checksum_address(safe), abi=artifact("Safe")["abi"])


def owners_fault(owners: list[str], threshold: int) -> str | None:
    """Why one owner alone could act, or one lost key would be the end; None if neither."""
    faults = (
        (len(set(owners)) < len(owners), "an owner is named twice"),
        (len(owners) < MIN_OWNERS, f"{len(owners)} owners are too few: take {MIN_OWNERS} or more"),
        (threshold < MIN_THRESHOLD, f"{threshold} of {len(owners)} lets one owner act alone"),
        (threshold > len(owners), f"there are only {len(owners)} owners"),
        (threshold == len(owners), "one lost key would lock the Safe: lower the threshold"),
    )
    return next((text for bad, text in faults if bad), None)


def require_owners(owners: list[str], threshold: int) -> None:
    """Raise ChainError unless a Safe of these owners can be made with a good conscience."""
    fault = owners_fault(owners, threshold)
    if fault is not None:
        raise ChainError(f"the owners will not do: {fault}")


@node_errors()
def create(w3: Web3, account: BaseAccount, owners: list[str], threshold: int) -> str:
    """Make a Safe, and what it needs where that is missing; return its address.

    Raises ChainError before anything is sent: bad owners, no CREATE2 deployer, foreign code, payer
    unfunded or busy.
    """
    require_owners(owners, threshold)
    missing = [name for name in PLACED if not has_code(w3, place_of(name), name)]
    if missing:
        require_create2_deployer(w3)
    require_gas(w3, account, CREATE_GAS + sum(placing_gas(w3, name) for name in missing))
    require_idle(w3, account.address)
    wallet = Wallet(w3, account)
    for name in missing:
        wallet.send(CREATE2_DEPLOYER, SALT + init_code(name))
    sent = wallet.send(place_of("SafeProxyFactory"), creation(owners, threshold))
    return Safe(w3, made_by(w3, sent)).address


def made_by(w3: Web3, sent: Sent) -> str:
    """The Safe that a transaction made. Raises ChainError if it made none."""
    factory = w3.eth.contract(
        Web3.to_checksum_address(place_of("SafeProxyFactory")),
        abi=artifact("SafeProxyFactory")["abi"],
    )
    receipt = w3.eth.get_transaction_receipt(HexStr(sent.tx_hash))
    made = next(iter(factory.events.ProxyCreation().process_receipt(receipt, DISCARD)), None)
    if made is None:
        raise ChainError(f"the factory made no Safe in transaction {sent.tx_hash}")
    return str(made["args"]["proxy"])


def creation(owners: list[str], threshold: int) -> bytes:
    """Calldata for the factory; the salt is random, so that everyone can make the same panel."""
    setup = call(
        "setup(address[],uint256,address,bytes,address,address,uint256,address)",
        owners, threshold, ZERO_ADDRESS, b"", place_of(HANDLER),
        ZERO_ADDRESS, 0, ZERO_ADDRESS,
    )  # fmt: skip
    signature = "createProxyWithNonce(address,bytes,uint256)"
    return call(signature, place_of("Safe"), setup, secrets.randbits(256))


def placing_gas(w3: Web3, name: str) -> int:
    return w3.eth.estimate_gas({"to": CREATE2_DEPLOYER, "data": SALT + init_code(name)})


def has_code(w3: Web3, address: str, name: str) -> bool:
    """Whether this contract is there. Raises ChainError if something else is."""
    code = code_at(w3, address)
    if code and code != runtime(name):
        raise ChainError(f"the code at {address} is not that of {name} 1.5.0")
    return bool(code)


def require_gas(w3: Web3, account: BaseAccount, gas: int) -> None:
    """Raise ChainError unless the account can pay for this much gas at today's fee."""
    price = fees(w3)
    needed = gas * GAS_MARGIN_PERCENT // 100 * price.get("maxFeePerGas", price.get("gasPrice", 0))
    balance = balance_wei(w3, account.address)
    if balance < needed:
        raise ChainError(
            f"{account.address} holds {in_coins(balance)} on chain {w3.eth.chain_id}; "
            f"this takes up to {in_coins(needed)}"
        )


class Safe:
    """A Safe 1.5.0 on a chain, whose code is what it should be. Raises ChainError if it is not.

    A weak one is used all the same, with a warning: orders name it, and it may hold money.
    """

    @node_errors()
    def __init__(self, w3: Web3, address: str) -> None:
        self.w3, self.address = w3, Web3.to_checksum_address(address)
        self.chain_id = w3.eth.chain_id
        self.contract = contract(w3, address)
        if code_at(w3, self.address) != runtime("SafeProxy"):
            raise ChainError(f"no Safe 1.5.0 at {self.address} on chain {self.chain_id}")
        if code_at(w3, self.stored(0)) not in map(runtime, SINGLETONS):
            raise ChainError(f"the Safe at {self.address} runs other code than Safe 1.5.0")
        self.owners: list[str] = self.contract.functions.getOwners().call()
        self.threshold: int = self.contract.functions.getThreshold().call()

    @node_errors()
    def require_signing(self) -> None:
        """Raise ChainError unless it answers ERC-1271 as it should."""
        handler = code_at(self.w3, self.stored(HANDLER_SLOT))
        if handler != runtime(HANDLER):
            raise ChainError(f"the Safe at {self.address} cannot sign: it has another handler")

    @node_errors()
    def warning(self) -> str:
        """What is weak about it, for whoever confirms."""
        modules, _ = self.contract.functions.getModulesPaginated(FIRST_MODULE, 1).call()
        handler, guard = self.stored(HANDLER_SLOT), self.stored(GUARD_SLOT)
        known = handler == ZERO_ADDRESS or code_at(self.w3, handler) == runtime(HANDLER)
        faults = (
            (modules, f"module {modules[0]} acts without the owners" if modules else ""),
            # What is sent to a Safe it passes on to its handler, as its own word.
            (not known, f"its fallback handler {handler} is not Safe's own"),
            (guard != ZERO_ADDRESS, f"guard {guard} can refuse what the owners decide"),
        )
        fault = next((text for bad, text in faults if bad), None)
        return fault or owners_fault(self.owners, self.threshold) or "nothing"

    def stored(self, slot: int) -> str:
        """The address in a storage slot."""
        return Web3.to_checksum_address(self.w3.eth.get_storage_at(self.address, slot)[-20:])

    @property
    def nonce(self) -> int:
        return int(self.contract.functions.nonce().call())


@dataclass(frozen=True)
class Transaction:
    """A call that the Safe makes, once its owners agreed."""

    safe: str
    chain_id: int
    to: str
    data: bytes
    nonce: int

    @property
    def hash(self) -> bytes:
        return bytes.fromhex(get_safe_tx_hash(self.typed())[2:])

    @property
    def signable(self) -> SignableMessage:
        return self.typed().signable_message

    def typed(self) -> Any:
        make = create_safe_tx_def(HASHED_AS_VERSION, self.safe, self.chain_id)
        return make(to=self.to, data=self.data, nonce=self.nonce)

    def calldata(self, signatures: bytes) -> bytes:
        """`execTransaction`: no refund of gas, a plain call."""
        return call(
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            self.to, 0, self.data, 0, 0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS, signatures,
        )  # fmt: skip


@dataclass(frozen=True)
class Message:
    """A digest that the Safe signs (ERC-1271), once its owners agreed. It costs nobody gas."""

    safe: str
    chain_id: int
    digest: bytes

    @property
    def hash(self) -> bytes:
        return digest(self.signable)

    @property
    def signable(self) -> SignableMessage:
        return encode_typed_data(
            domain_data={"chainId": self.chain_id, "verifyingContract": self.safe},
            message_types={"SafeMessage": [{"name": "message", "type": "bytes"}]},
            message_data={"message": encode(["bytes32"], [self.digest])},
        )


Agreed = Transaction | Message
Signatures = Mapping[str, bytes]


def confirm(safe: Safe, agreed: Agreed, account: BaseAccount) -> bytes:
    """An owner's signature. Raises SignatureError for anybody else."""
    if account.address not in safe.owners:
        raise SignatureError(f"{account.address} is no owner of {safe.address}")
    return messages.sign(account, agreed.signable)


def joined(safe: Safe, agreed: Agreed, signatures: Signatures) -> bytes:
    """The owners' signatures as the Safe reads them. Raises SignatureError: bad, or too few."""
    for owner, signature in signatures.items():
        if owner not in safe.owners or messages.recover(agreed.hash, signature) != owner:
            raise SignatureError(f"the signature of {owner} is not an owner's over this")
    lacking = safe.threshold - len(signatures)
    if lacking > 0:
        raise SignatureError(f"{lacking} more of the {len(safe.owners)} owners must confirm")
    chosen = sorted(signatures, key=str.lower)[: safe.threshold]
    return bytes(encode_signatures({owner: signatures[owner] for owner in chosen}))


def require_nonce(safe: Safe, nonce: int) -> None:
    """Raise ChainError unless the transaction is the Safe's next."""
    if nonce < safe.nonce:
        raise ChainError(f"nonce {nonce} of {safe.address} was used already: propose anew")
    if nonce > safe.nonce:
        raise ChainError(f"nonce {nonce} must wait: {safe.address} is at {safe.nonce}")


@node_errors()
def execute(safe: Safe, agreed: Transaction, signatures: Signatures, payer: BaseAccount) -> Sent:
    """Send the Safe's transaction from any account. Raises before sending if it cannot work."""
    require_nonce(safe, agreed.nonce)
    data = agreed.calldata(joined(safe, agreed, signatures))
    try:
        gas = safe.w3.eth.estimate_gas({"from": payer.address, "to": safe.address, "data": data})
    except ContractLogicError as error:
        raise ChainError(f"the Safe's transaction would fail: {explain(error)}") from error
    require_gas(safe.w3, payer, gas)
    require_idle(safe.w3, payer.address)
    return Wallet(safe.w3, payer).send(safe.address, data)


@node_errors()
def signature_of(safe: Safe, agreed: Message, signatures: Signatures) -> bytes:
    """The Safe's own signature, which the chain was asked to judge. Raises SignatureError."""
    signature = joined(safe, agreed, signatures)
    magic = Web3.keccak(text="isValidSignature(bytes32,bytes)")[:4]
    data = call("isValidSignature(bytes32,bytes)", agreed.digest, signature)
    try:
        answer = safe.w3.eth.call({"to": safe.address, "data": data})
    except ContractLogicError as error:
        raise SignatureError(f"{safe.address} refuses it: {explain(error)}") from error
    if bytes(answer[:4]) != bytes(magic):
        raise SignatureError(f"{safe.address} does not take it for its signature")
    return signature
