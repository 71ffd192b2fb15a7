"""The local chain: anvil, a token that behaves as USDT does, and coins for whoever needs them."""

import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account.signers.base import BaseAccount
from otc_sdk.artifacts import load
from otc_sdk.chain import Wallet, connect
from otc_sdk.errors import ChainError
from web3 import Web3
from web3.exceptions import Web3Exception

from coordinator.stack.child import Child

LOCAL_CHAIN_ID = 31337
BLOCK_SECONDS = 1
# anvil calls a block final when two epochs follow it.
EPOCH_BLOCKS = 1
STATE_INTERVAL_SECONDS = 5
START_SECONDS = 20
TOKEN_DECIMALS = 6
TOKEN_SUPPLY_UNITS = 10**9 * 10**TOKEN_DECIMALS
COINS_WEI = 1000 * 10**18
ROOT = Path(__file__).resolve().parent.parent.parent


def find_anvil() -> str:
    """anvil from the Node packages, else from PATH. Raises ChainError."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = f"@foundry-rs/anvil-{platform.system().lower()}-{machine}"
    packaged = ROOT / "node_modules" / package / "bin" / "anvil"
    found = str(packaged) if packaged.exists() else shutil.which("anvil")
    if found is None:
        raise ChainError("anvil is missing: run `make install`, or install Foundry")
    return found


class LocalChain:
    """anvil with one block a second; with a state file it resumes where it stopped."""

    def __init__(self, port: int, state: Path, log: Path) -> None:
        self.rpc_url = f"http://127.0.0.1:{port}"
        command = [
            find_anvil(), "--host", "127.0.0.1", "--port", str(port), "--silent",
            "--chain-id", str(LOCAL_CHAIN_ID), "--block-time", str(BLOCK_SECONDS),
            "--slots-in-an-epoch", str(EPOCH_BLOCKS), "--accounts", "1",
            "--state", str(state), "--state-interval", str(STATE_INTERVAL_SECONDS),
            "--preserve-historical-states",
        ]  # fmt: skip
        self.child = Child("anvil", command, os.environ, log)

    def await_up(self) -> Web3:
        """Wait until it answers. Raises ChainError if it does not in time."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.child.alive():
            try:
                return connect(self.rpc_url, LOCAL_CHAIN_ID)
            except ChainError:
                time.sleep(0.02)
        raise ChainError(f"anvil did not start: {self.child.last_words()}")


@contextmanager
def instant_blocks(w3: Web3) -> Iterator[None]:
    """Within it, the local chain makes a block of each transaction at once."""
    ask(w3, "evm_setAutomine", True)
    try:
        yield
    finally:
        ask(w3, "evm_setIntervalMining", BLOCK_SECONDS)


def ask(w3: Web3, method: str, *arguments: Any) -> Any:
    """One of the development node's own methods. Raises ChainError."""
    try:
        answer = w3.provider.make_request(method, list(arguments))  # type: ignore[arg-type]
    except (OSError, Web3Exception) as error:
        raise ChainError(f"the node failed at {method}: {error}") from error
    if "error" in answer:
        raise ChainError(f"the node refuses {method}: {json.dumps(answer['error'])}")
    return answer["result"]


def is_development(w3: Web3) -> bool:
    """Whether the node lets us set balances: anvil does."""
    return "anvil" in w3.client_version.lower()


def give_coins(w3: Web3, address: str) -> None:
    """Coins for gas on a development node."""
    ask(w3, "anvil_setBalance", address, hex(COINS_WEI))


def deploy_token(w3: Web3, owner: BaseAccount) -> str:
    """Deploy the USDT-like token; the owner holds the supply. Returns its address."""
    code = bytes.fromhex(load("TetherMock")["bytecode"][2:])
    arguments = encode(["uint256", "uint256"], [TOKEN_SUPPLY_UNITS, TOKEN_DECIMALS])
    sent = Wallet(w3, owner).create(code + arguments)
    if sent.contract is None:
        raise ChainError(f"transaction {sent.tx_hash} made no token")
    return sent.contract
