"""Deploying the escrow at the same address on every chain, and proving what lies there."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from eth_account.signers.base import BaseAccount
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from jsonschema import Draft202012Validator
from web3 import Web3
from web3.exceptions import Web3Exception
from web3.types import BlockIdentifier

from otc_sdk.artifacts import load
from otc_sdk.chain import GAS_MARGIN_PERCENT, Wallet, connect, fault, fees
from otc_sdk.errors import ChainError
from otc_sdk.networks import NAME_PATTERN
from otc_sdk.networks import NETWORKS as NETWORKS
from otc_sdk.networks import Network as Network
from otc_sdk.terms import EscrowDomain, create2_address

# The deterministic deployment proxy (https://github.com/Arachnid/deterministic-deployment-proxy).
CREATE2_DEPLOYER = Web3.to_checksum_address("0x4e59b44847b379578588920ca78fbf26c0b4956c")
CREATE2_DEPLOYER_CODE = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
SALT = bytes(32)

# Init code of nothing that runs the newest opcodes of the escrow: PUSH0, TSTORE and MCOPY.
CANCUN_PROBE = bytes.fromhex("5f5f5d5f5f5f5e5f5ff3")
# A pruned node keeps the state of at least this many recent blocks (geth's default).
RECENT_STATE_BLOCKS = 128
# Taken for final on a chain whose node knows no finalized block.
REORG_MARGIN_BLOCKS = 256
# A public endpoint is many nodes: the one asked may be behind the one that had the receipt.
CODE_SEEN_SECONDS = 20

# deployments/schema.json is this, written out; a test compares the two.
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "One escrow on one chain",
    "type": "object",
    "additionalProperties": False,
    "required": [
        "chain",
        "chain_id",
        "escrow",
        "deployer",
        "salt",
        "transaction",
        "block",
        "compiler",
        "code_hash",
    ],
    "properties": {
        "chain": {"type": "string", "pattern": NAME_PATTERN},
        "chain_id": {"type": "integer", "minimum": 1},
        "escrow": {"$ref": "#/$defs/address"},
        "deployer": {"$ref": "#/$defs/address"},
        "salt": {"$ref": "#/$defs/hash"},
        "transaction": {"oneOf": [{"$ref": "#/$defs/hash"}, {"type": "null"}]},
        "block": {"type": "integer", "minimum": 0},
        "compiler": {"type": "string"},
        "code_hash": {"$ref": "#/$defs/hash"},
    },
    "$defs": {
        "address": {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"},
        "hash": {"type": "string", "pattern": "^0x[0-9a-f]{64}$"},
    },
}


@dataclass(frozen=True)
class Deployment:
    """What deployments/<chain>.json holds.

    `transaction` is null if somebody else deployed it. A watcher may start from `block`: it was
    final when this was written, and nothing of the escrow happened before it.
    """

    chain: str
    chain_id: int
    escrow: str
    deployer: str
    salt: str
    transaction: str | None
    block: int
    compiler: str
    code_hash: str

    @property
    def domain(self) -> EscrowDomain:
        return EscrowDomain(self.chain_id, self.escrow)


@dataclass(frozen=True)
class Cost:
    """The most that a deployment takes at today's fee."""

    gas_limit: int
    gas_price_wei: int

    @property
    def total_wei(self) -> int:
        return self.gas_limit * self.gas_price_wei


def init_code() -> bytes:
    return bytes.fromhex(load("Escrow")["bytecode"][2:])


def escrow_address() -> str:
    """Where this build's escrow lies, on every chain."""
    return create2_address(CREATE2_DEPLOYER, SALT, init_code())


@contextmanager
def node_errors() -> Iterator[None]:
    """What goes wrong between us and the node, as ChainError."""
    try:
        yield
    except (OSError, Web3Exception, json.JSONDecodeError) as error:
        raise ChainError(f"the node failed: {fault(error)}") from error


@node_errors()
def open_node(network: Network) -> Web3:
    """A client of the network's node. Raises ChainError: node down, or on another chain."""
    return connect(network.rpc_url, network.chain_id)


@node_errors()
def deploy(
    network: Network, rpc_url: str, account: BaseAccount, known: Deployment | None = None
) -> Deployment:
    """Deploy, or find this build deployed. Sends nothing unless all checks pass.

    `known` is what deployments/<chain>.json says so far. Raises ChainError: node down, wrong
    chain, no CREATE2 deployer, foreign code at an address, account unfunded or busy, revert.
    """
    w3 = open_node(replace(network, rpc_url=rpc_url))
    found = find(w3, network, known)
    if found is not None:
        return found
    require_funds(w3, account.address)
    require_idle(w3, account.address)
    sent = Wallet(w3, account).send(CREATE2_DEPLOYER, SALT + init_code())
    await_code(w3, escrow_address())
    deployment = describe(w3, network, sent.tx_hash, start_block(w3, sent.block_number))
    verify(w3, deployment)
    return deployment


@node_errors()
def find(w3: Web3, network: Network, known: Deployment | None = None) -> Deployment | None:
    """This build's escrow on the chain, if it is there; `known` itself unless the chain denies it.

    Raises ChainError if there is other code at its address.
    """
    escrow = escrow_address()
    if not code_at(w3, escrow):
        return None
    first = first_block(w3, escrow)
    if known is not None and known.escrow == escrow and (first is None or known.block <= first):
        found = known
    else:
        block = 0 if first is None else start_block(w3, first)
        found = describe(w3, network, None, block)
    verify(w3, found)
    return found


def describe(w3: Web3, network: Network, transaction: str | None, block: int) -> Deployment:
    """This build's deployment as the chain shows it now."""
    return Deployment(
        chain=network.name,
        chain_id=network.chain_id,
        escrow=escrow_address(),
        deployer=CREATE2_DEPLOYER,
        salt="0x" + SALT.hex(),
        transaction=transaction,
        block=block,
        compiler=load("Escrow")["compiler"],
        code_hash="0x" + keccak(code_at(w3, escrow_address())).hex(),
    )


@node_errors()
def cost(w3: Web3) -> Cost:
    """What deploying would take at most.

    Raises ChainError if the chain has no CREATE2 deployer or could not run the escrow.
    """
    require_create2_deployer(w3)
    require_cancun(w3)
    gas = w3.eth.estimate_gas({"to": CREATE2_DEPLOYER, "data": SALT + init_code()})
    price = fees(w3)
    return Cost(
        gas_limit=gas * GAS_MARGIN_PERCENT // 100,
        gas_price_wei=price.get("maxFeePerGas", price.get("gasPrice", 0)),
    )


def require_create2_deployer(w3: Web3) -> None:
    """Raise ChainError unless the deployer's own code is there: other code would take what it is
    sent, and put nothing where we look for it."""
    code = code_at(w3, CREATE2_DEPLOYER)
    if not code:
        raise ChainError(f"chain {w3.eth.chain_id} has no CREATE2 deployer at {CREATE2_DEPLOYER}")
    if code != CREATE2_DEPLOYER_CODE:
        raise ChainError(
            f"the code at {CREATE2_DEPLOYER} on chain {w3.eth.chain_id} is not the CREATE2 "
            "deployer's"
        )


def require_cancun(w3: Web3) -> None:
    """Raise ChainError on a chain that lacks opcodes of the escrow: it could be deployed there,
    and funded, and then not settle."""
    try:
        w3.eth.call({"data": HexBytes(CANCUN_PROBE)})
    except Web3Exception as error:
        raise ChainError(
            f"chain {w3.eth.chain_id} cannot run the escrow, which needs Cancun opcodes: {error}"
        ) from error


def require_funds(w3: Web3, address: str) -> None:
    """Raise ChainError unless the account can pay for a deployment at today's fee."""
    needed, balance = cost(w3).total_wei, balance_wei(w3, address)
    if balance < needed:
        raise ChainError(
            f"{address} holds {in_coins(balance)} on chain {w3.eth.chain_id}; "
            f"deploying takes up to {in_coins(needed)}"
        )


@node_errors()
def balance_wei(w3: Web3, address: str) -> int:
    """What an account holds of the chain's own coin, in wei."""
    return w3.eth.get_balance(Web3.to_checksum_address(address))


def in_coins(wei: int) -> str:
    """An amount of the chain's own coin (18 decimals on every EVM chain) for people."""
    return f"{Decimal(wei).scaleb(-18).normalize():f} coins"


def require_idle(w3: Web3, address: str) -> None:
    """Raise ChainError while the account waits for a transaction: it may be this deployment,
    sent by a run that was interrupted."""
    sender = Web3.to_checksum_address(address)
    waiting = w3.eth.get_transaction_count(sender, "pending") - w3.eth.get_transaction_count(sender)
    if waiting > 0:
        raise ChainError(f"{address} has {waiting} unmined transactions; try again when they are")


def await_code(w3: Web3, address: str) -> None:
    """Wait until the node shows code at the address; `verify` judges it."""
    deadline = time.monotonic() + CODE_SEEN_SECONDS
    while not code_at(w3, address) and time.monotonic() < deadline:
        time.sleep(0.5)


def code_at(w3: Web3, address: str, block: BlockIdentifier = "latest") -> bytes:
    """Code as it was at the end of a block."""
    return bytes(w3.eth.get_code(Web3.to_checksum_address(address), block))


def start_block(w3: Web3, first: int) -> int:
    """The latest block, up to `first`, that no reorganisation can replace."""
    try:
        final = int(w3.eth.get_block("finalized")["number"])
    except Web3Exception:
        final = w3.eth.block_number - REORG_MARGIN_BLOCKS
    return max(0, min(first, final))


def first_block(w3: Web3, address: str) -> int | None:
    """The block in which the code at `address` appeared; None if the node no longer knows."""
    head = w3.eth.block_number
    low, high = 0, int(head)
    while low < high:
        middle = (low + high) // 2
        try:
            if code_at(w3, address, middle):
                high = middle
            else:
                low = middle + 1
        except (OSError, Web3Exception):  # state that the node has dropped
            low = max(middle + 1, min(high, head - RECENT_STATE_BLOCKS))
    return low if low == 0 or lacks_code(w3, address, low - 1) else None


def lacks_code(w3: Web3, address: str, block: int) -> bool:
    """Whether the node knows for sure that there was no code then.

    It shows by the CREATE2 deployer, which is older, that it has that block's state.
    """
    try:
        return bool(code_at(w3, CREATE2_DEPLOYER, block)) and not code_at(w3, address, block)
    except (OSError, Web3Exception):
        return False


@node_errors()
def verify(w3: Web3, deployment: Deployment) -> None:
    """Raise ChainError unless the chain has this build's escrow, and the record tells of it."""
    if w3.eth.chain_id != deployment.chain_id:
        raise ChainError(
            f"the node is on chain {w3.eth.chain_id}, the deployment on {deployment.chain_id}"
        )
    code = require_escrow(w3, deployment.escrow)
    if (deployment.deployer, deployment.salt) != (CREATE2_DEPLOYER, "0x" + SALT.hex()):
        raise ChainError("the deployment's deployer and salt are not this build's")
    if "0x" + keccak(code).hex() != deployment.code_hash:
        raise ChainError(f"the code at {deployment.escrow} has another hash than the deployment")
    # Anyone may have deployed it, also where it cannot settle.
    require_cancun(w3)
    require_complete(w3, deployment)


@node_errors()
def require_escrow(w3: Web3, address: str) -> bytes:
    """The code at an address. Raises ChainError unless it is this build's escrow.

    A CREATE2 address commits to the code that ran there to deploy it, so its immutables are right
    too. A vault's code follows from the escrow's.
    """
    code = code_at(w3, address)
    if not code:
        raise ChainError(f"no code at {address}, where the escrow should be")
    artifact = load("Escrow")
    built = bytes.fromhex(artifact["deployed_bytecode"][2:])
    if address != escrow_address() or masked(code, artifact) != masked(built, artifact):
        raise ChainError(f"the code at {address} is not this build's escrow")
    return code


def require_complete(w3: Web3, deployment: Deployment) -> None:
    """Raise ChainError if a watcher that starts from `block` would miss something."""
    if deployment.block > w3.eth.block_number:
        raise ChainError(f"the chain has not reached the deployment's block {deployment.block}")
    try:
        late = deployment.block > 0 and code_at(w3, deployment.escrow, deployment.block - 1)
    except (OSError, Web3Exception):  # state that the node has dropped
        return
    if late:
        raise ChainError(f"the escrow is older than the deployment's block {deployment.block}")


def masked(code: bytes, artifact: dict[str, Any]) -> bytes:
    """Code with its immutables, which deployment fills in, set to zero."""
    blank = bytearray(code)
    for place in artifact["immutables"]:
        blank[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
    return bytes(blank)


def path_of(folder: Path, chain: str) -> Path:
    return folder / f"{chain}.json"


def require_writable(folder: Path) -> None:
    """Make the folder; raise ChainError if files cannot be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ChainError(f"cannot make the folder {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ChainError(f"cannot write to the folder {folder}")


def write(folder: Path, deployment: Deployment) -> Path:
    """Write deployments/<chain>.json, whole or not at all. Raises ChainError."""
    path = path_of(folder, deployment.chain)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    require_writable(folder)
    try:
        temporary.write_text(json.dumps(asdict(deployment), indent=2) + "\n")
        temporary.replace(path)
    except OSError as error:
        raise ChainError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read(folder: Path, chain: str) -> Deployment:
    """Read and validate deployments/<chain>.json. Raises ChainError naming the fault."""
    path = path_of(folder, chain)
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise ChainError(f"no deployment on {chain}: {path} is missing; run `otc deploy`") from None
    except OSError as error:
        raise ChainError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ChainError(f"{path} is not JSON: {error}") from error
    fault = next(iter(Draft202012Validator(SCHEMA).iter_errors(data)), None)
    if fault is not None:
        raise ChainError(f"{path}: {fault.json_path} {fault.message}")
    if data["chain"] != chain:
        raise ChainError(f"{path} is of the chain {data['chain']}")
    addresses = {key: Web3.to_checksum_address(data[key]) for key in ("escrow", "deployer")}
    return Deployment(**{**data, **addresses})
