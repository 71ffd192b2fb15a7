"""Deploying the escrow at the same address on every chain, and proving what lies there."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eth_account.signers.base import BaseAccount
from eth_utils.crypto import keccak
from jsonschema import Draft202012Validator
from web3 import Web3

from otc_sdk.artifacts import load
from otc_sdk.chain import EscrowAccount, connect, fees
from otc_sdk.errors import ChainError
from otc_sdk.terms import EscrowDomain, create2_address

# The deterministic deployment proxy (https://github.com/Arachnid/deterministic-deployment-proxy).
CREATE2_DEPLOYER = Web3.to_checksum_address("0x4e59b44847b379578588920ca78fbf26c0b4956c")
SALT = bytes(32)


@dataclass(frozen=True)
class Network:
    """A chain by name. `rpc_url` is a public endpoint, good for a try; give your own for real use."""

    name: str
    chain_id: int
    rpc_url: str


NETWORKS = {
    network.name: network
    for network in (
        Network("local", 31337, "http://127.0.0.1:8545"),
        Network("sepolia", 11155111, "https://ethereum-sepolia-rpc.publicnode.com"),
        Network("arbitrum-sepolia", 421614, "https://sepolia-rollup.arbitrum.io/rpc"),
        Network("bsc-testnet", 97, "https://data-seed-prebsc-1-s1.bnbchain.org:8545"),
    )
}

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
        "chain": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
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
    """What deployments/<chain>.json holds. `transaction` is null if somebody else deployed it;
    `block` is one at or before the deployment's, from which a watcher may start."""

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


def init_code() -> bytes:
    return bytes.fromhex(load("Escrow")["bytecode"][2:])


def escrow_address() -> str:
    """Where this build's escrow lies, on every chain."""
    return create2_address(CREATE2_DEPLOYER, SALT, init_code())


def deploy(network: Network, rpc_url: str, account: BaseAccount) -> Deployment:
    """Deploy, or find this build deployed. Sends nothing unless all checks pass.

    Raises ChainError: node down, wrong chain, no CREATE2 deployer, unfunded account, revert.
    """
    w3 = connect(rpc_url, network.chain_id)
    escrow = escrow_address()
    transaction, block = None, w3.eth.block_number
    if not w3.eth.get_code(Web3.to_checksum_address(escrow)):
        if not w3.eth.get_code(CREATE2_DEPLOYER):
            raise ChainError(f"{network.name} has no CREATE2 deployer at {CREATE2_DEPLOYER}")
        require_funds(w3, account.address)
        sender = EscrowAccount(w3, EscrowDomain(network.chain_id, escrow), account)
        sent = sender.send(CREATE2_DEPLOYER, SALT + init_code())
        transaction, block = sent.tx_hash, sent.block_number
    deployment = Deployment(
        chain=network.name,
        chain_id=network.chain_id,
        escrow=escrow,
        deployer=CREATE2_DEPLOYER,
        salt="0x" + SALT.hex(),
        transaction=transaction,
        block=block,
        compiler=load("Escrow")["compiler"],
        code_hash="0x" + keccak(w3.eth.get_code(Web3.to_checksum_address(escrow))).hex(),
    )
    verify(w3, deployment)
    return deployment


def require_funds(w3: Web3, address: str) -> None:
    """Raise ChainError unless the account can pay for a deployment at today's fee."""
    code = init_code()
    gas = w3.eth.estimate_gas(
        {"from": CREATE2_DEPLOYER, "to": CREATE2_DEPLOYER, "data": SALT + code}
    )
    price = fees(w3)
    needed = gas * price.get("maxFeePerGas", price.get("gasPrice", 0))
    balance = w3.eth.get_balance(Web3.to_checksum_address(address))
    if balance < needed:
        raise ChainError(f"{address} holds {balance} wei; deploying needs about {needed} wei")


def verify(w3: Web3, deployment: Deployment) -> None:
    """Raise ChainError unless the chain has this build's code, for escrow and vault."""
    if w3.eth.chain_id != deployment.chain_id:
        raise ChainError(
            f"the node is on chain {w3.eth.chain_id}, the deployment on {deployment.chain_id}"
        )
    artifact = load("Escrow")
    code = bytes(w3.eth.get_code(Web3.to_checksum_address(deployment.escrow)))
    if not code:
        raise ChainError(f"no code at {deployment.escrow}, where the escrow should be")
    if masked(code, artifact) != masked(bytes.fromhex(artifact["deployed_bytecode"][2:]), artifact):
        raise ChainError(f"the code at {deployment.escrow} is not this build's escrow")


def masked(code: bytes, artifact: dict[str, Any]) -> bytes:
    """Code with its immutables, which deployment fills in, set to zero."""
    blank = bytearray(code)
    for place in artifact["immutables"]:
        blank[place["start"] : place["start"] + place["length"]] = bytes(place["length"])
    return bytes(blank)


def path_of(folder: Path, chain: str) -> Path:
    return folder / f"{chain}.json"


def write(folder: Path, deployment: Deployment) -> Path:
    """Write deployments/<chain>.json; a repeat keeps the first transaction and block."""
    path = path_of(folder, deployment.chain)
    if path.exists():
        known = read(folder, deployment.chain)
        if (known.chain_id, known.escrow) == (
            deployment.chain_id,
            deployment.escrow,
        ) and not deployment.transaction:
            return path
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(deployment), indent=2) + "\n")
    return path


def read(folder: Path, chain: str) -> Deployment:
    """Read and validate deployments/<chain>.json. Raises ChainError naming the fault."""
    path = path_of(folder, chain)
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise ChainError(f"no deployment on {chain}: {path} is missing; run `otc deploy`") from None
    except ValueError as error:
        raise ChainError(f"{path} is not JSON: {error}") from error
    fault = next(iter(Draft202012Validator(SCHEMA).iter_errors(data)), None)
    if fault is not None:
        raise ChainError(f"{path}: {fault.json_path} {fault.message}")
    return Deployment(**data)
