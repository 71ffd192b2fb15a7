"""A local chain for tests: `pytest_plugins = ["tests.chain"]` gives the `anvil` fixture.

PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from otc_sdk import deployment
from otc_sdk.artifacts import load
from otc_sdk.chain import connect, fees
from otc_sdk.terms import EscrowDomain
from web3 import Web3

from scripts.forge import find_binary

START_TIMEOUT_SECONDS = 20
STOP_TIMEOUT_SECONDS = 5
LISTENING = "Listening on "
RICH_WEI = 10**24
GAS_LIMIT = 10_000_000
TOKEN_SUPPLY_UNITS = 10**18


def account_of(name: str) -> LocalAccount:
    """The same account for the same name, always."""
    account: LocalAccount = Account.from_key(keccak(text=f"test account {name}"))
    return account


class Anvil:
    """One anvil on a free loopback port. Failures carry what it printed."""

    url: str
    w3: Web3

    def __init__(self, *options: str) -> None:
        self.options = options
        self.names = count(1)
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by stop
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "Anvil":
        """Raises RuntimeError if anvil does not listen in time."""
        self.process = subprocess.Popen(  # noqa: S603
            [find_binary("anvil"), "--host", "127.0.0.1", "--port", "0", *self.options],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            self.url = f"http://{self.wait_until_listening()}"
            self.w3 = connect(self.url)
        except BaseException:
            self.stop()
            raise
        return self

    def wait_until_listening(self) -> str:
        """Host and port."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            printed = self.printed()
            for line in printed.splitlines(keepends=True):
                if line.startswith(LISTENING) and line.endswith("\n"):
                    return line.removeprefix(LISTENING).strip()
            if not self.alive():
                raise RuntimeError(f"anvil ended at once:\n{printed}")
            time.sleep(0.02)
        raise RuntimeError(f"anvil was silent for {START_TIMEOUT_SECONDS} s:\n{self.printed()}")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def printed(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def stop(self) -> None:
        """Raises RuntimeError if it had ended by itself."""
        died = None if self.alive() else self.printed()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        if died is not None:
            raise RuntimeError(f"anvil ended by itself:\n{died[-4000:]}")

    def rpc(self, method: str, *params: Any) -> Any:
        """Result of any method, anvil's own included. Raises RuntimeError with its error."""
        answer: Any = self.w3.provider.make_request(method, list(params))  # type: ignore[arg-type]
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def now(self) -> int:
        """Time of the latest block."""
        return self.w3.eth.get_block("latest")["timestamp"]

    def mine_at(self, timestamp: int) -> None:
        """Mine one block at this time."""
        self.rpc("anvil_setNextBlockTimestamp", timestamp)
        self.rpc("evm_mine")

    def funded_account(self, name: str | None = None) -> LocalAccount:
        """An account with gas; without a name, one that no other call gives."""
        account = account_of(name or f"{next(self.names)} of this chain")
        self.rpc("anvil_setBalance", account.address, hex(RICH_WEI))
        return account

    def send(
        self, account: LocalAccount, to: str | None, data: bytes, at: int | None = None
    ) -> Any:
        """Send, in a block of time `at` if given, and return the receipt.

        Raises RuntimeError if the transaction reverts.
        """
        transaction: dict[str, Any] = {
            "from": account.address,
            "data": data,
            "nonce": self.w3.eth.get_transaction_count(account.address),
            "chainId": self.w3.eth.chain_id,
            "value": 0,
            "gas": GAS_LIMIT,  # an estimate would run at the latest block's time
            **fees(self.w3),
        } | ({} if to is None else {"to": to})
        if at is not None:
            self.rpc("anvil_setNextBlockTimestamp", at)
        raw = account.sign_transaction(transaction).raw_transaction
        receipt = self.w3.eth.wait_for_transaction_receipt(
            self.w3.eth.send_raw_transaction(raw), timeout=10, poll_latency=0.01
        )
        if receipt["status"] != 1:
            raise RuntimeError(f"reverted: {receipt}")
        return receipt

    def deploy_token(self, owner: LocalAccount, decimals: int = 6) -> str:
        """Address of a new TetherMock whose whole supply is the owner's."""
        artifact = load("TetherMock")
        factory = self.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
        data = factory.constructor(TOKEN_SUPPLY_UNITS, decimals).data_in_transaction
        return str(self.send(owner, None, Web3.to_bytes(hexstr=data))["contractAddress"])

    def deploy_escrow(self) -> EscrowDomain:
        """Domain of the escrow, deployed as on a real chain; the same at every call."""
        network = deployment.Network("local", self.w3.eth.chain_id, "")
        assert isinstance(self.w3.provider, Web3.HTTPProvider)
        return deployment.deploy(network, self.url, self.funded_account("deployer")).domain


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    """One chain a test worker. Tests share it: make orders with salts and accounts of your own."""
    chain = Anvil().start()
    try:
        yield chain
    finally:
        chain.stop()
