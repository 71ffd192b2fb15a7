"""Starting, supervising and ending everything that a coordinator needs on this machine."""

import fcntl
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import httpx
from eth_account.signers.local import LocalAccount
from otc_sdk import deployment
from otc_sdk.chain import Wallet, connect
from otc_sdk.deployment import node_errors
from otc_sdk.errors import ChainError, OtcError
from otc_sdk.keystore import is_configured, load_account
from otc_sdk.networks import NETWORKS, Network
from web3 import Web3

from coordinator.stack import running
from coordinator.stack.accounts import Accounts
from coordinator.stack.child import Child, ChildFailed, stop_all
from coordinator.stack.database import EmbeddedDatabase
from coordinator.stack.interrupts import INTERRUPTS
from coordinator.stack.local_chain import (
    LocalChain,
    deploy_token,
    give_coins,
    instant_blocks,
    is_development,
)
from coordinator.stack.ports import free_port, require_free
from coordinator.stack.preparation import prepare_database, require_token

READY_SECONDS = 90
MAX_START_RESTARTS = 3
SUPERVISE_SECONDS = 0.1
# The API takes longest to start.
PROCESSES = ("api", "cosigner", "watcher", "sender", "keeper")
# Accounts of the local chain that hold coins and tokens, for hands-on use.
DEMO_ACCOUNTS = ("seller", "buyer")
DEMO_TOKEN_UNITS = 100_000 * 10**6
# The file also says whose coins pay for gas; its password stays away.
SENDER_KEYSTORE = "OTC_SENDER_KEYSTORE"
# Which processes are told which secret; the others start without it.
SECRETS = {
    "OTC_PRIVATE_KEY": ("sender",),
    "OTC_KEYSTORE": ("sender",),
    SENDER_KEYSTORE: ("sender",),
    "OTC_SENDER_KEYSTORES": ("sender",),
    "OTC_COSIGNER_KEY": ("cosigner",),
    "OTC_COSIGNER_DATABASE_URL": ("cosigner",),
    "OTC_KEYSTORE_PASSWORD": ("sender", "cosigner"),
    "OTC_KEYSTORE_PASSWORD_FILE": ("sender", "cosigner"),
    "OTC_WS_URL": ("watcher",),
    "OTC_METRICS_TOKEN": ("api",),
    "OTC_COSIGNER_TOKEN": ("cosigner", "keeper"),
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What `otc up` was asked for. `settings` are OTC_ variables for the processes."""

    data_dir: Path
    api_port: int
    rpc_port: int = 8545
    rpc_url: str | None = None
    token: str | None = None
    arbitrator: str | None = None
    database_url: str | None = None
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """What a client needs to know of a running stack."""

    api: str
    rpc: str
    chain_id: int
    token: str
    escrow: str
    coordinator: str
    arbitrator: str
    keystores: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Stack:
    """Use as a context manager: whatever happens, what was started is ended."""

    def __init__(self, options: Options, say: Say) -> None:
        self.options, self.say = options, say
        self.accounts = Accounts(options.data_dir / "keys")
        # What the processes need, and the processes; the latter end first.
        self.servers: list[Child] = []
        self.processes: list[Child] = []
        self.lock: IO[str] | None = None

    def __enter__(self) -> "Stack":
        INTERRUPTS.listen()
        return self

    def __exit__(self, *_: object) -> None:
        INTERRUPTS.ignore()
        if self.processes:
            running.remove(self.options.data_dir)
        stop_all(self.processes)
        stop_all(self.servers)
        if self.lock is not None:
            self.lock.close()

    @property
    def children(self) -> list[Child]:
        return [*self.servers, *self.processes]

    def start(self) -> Ready:
        """Bring everything up. Raises OtcError naming what failed."""
        self.lock_folder()
        require_free(self.options.api_port, "--port")
        # Both take a while: the one starts while the other does.
        chain, embedded = self.launch_chain(), self.launch_database()
        w3, rpc_url = self.await_chain(chain)
        database_url = self.await_database(embedded, w3)
        with node_errors(), instant_blocks(w3) if chain else nullcontext():
            self.fund_accounts(w3)
            token = self.find_token(w3)
            deployed = self.find_escrow(w3, rpc_url)
        ready = Ready(
            api=f"http://127.0.0.1:{self.options.api_port}",
            rpc=rpc_url,
            chain_id=deployed.chain_id,
            token=token,
            escrow=deployed.escrow,
            coordinator=self.accounts.load("coordinator").address,
            arbitrator=self.arbitrator(),
            keystores=str(self.accounts.folder),
        )
        self.start_processes(ready, database_url, deployed.block)
        self.await_ready(ready)
        return ready

    def lock_folder(self) -> None:
        """Two stacks on one folder would share keys and database."""
        folder = self.options.data_dir
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.lock = (folder / "lock").open("w")
        except OSError as error:
            raise OtcError(f"cannot write to {folder}: {error.strerror}") from error
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OtcError(f"another stack runs in {folder}") from None

    def log_file(self, name: str) -> Path:
        return self.options.data_dir / "logs" / f"{name}.log"

    def launch_chain(self) -> LocalChain | None:
        """Start anvil, unless there is a chain to use."""
        if self.options.rpc_url is not None:
            connect(self.options.rpc_url)
            return None
        port = require_free(self.options.rpc_port, "--rpc-port")
        chain = LocalChain(port, self.options.data_dir / "chain.json", self.log_file("anvil"))
        self.say("starting anvil, the local chain")
        self.servers.append(chain.child)
        chain.child.start()
        return chain

    def launch_database(self) -> EmbeddedDatabase | None:
        """Start PostgreSQL, unless there is a server to use."""
        if self.options.database_url is not None:
            return None
        self.say("starting PostgreSQL")
        folder = self.options.data_dir.resolve() / "postgres"
        embedded = EmbeddedDatabase(folder, self.log_file("postgres"))
        child = embedded.prepare()
        self.servers.append(child)
        child.start()
        return embedded

    def await_chain(self, chain: LocalChain | None) -> tuple[Web3, str]:
        if chain is None:
            rpc_url = self.options.rpc_url or ""
            return connect(rpc_url), rpc_url
        return chain.await_up(), chain.rpc_url

    def await_database(self, embedded: EmbeddedDatabase | None, w3: Web3) -> str:
        """Wait for it, bring it to the newest schema, refuse one that follows another chain."""
        if embedded is not None:
            embedded.await_up()
        url = embedded.url if embedded is not None else self.options.database_url or ""
        prepare_database(url, w3)
        return url

    def fund_accounts(self, w3: Web3) -> None:
        """Coins for gas: given on a development chain, asked for elsewhere."""
        sender = self.sender()
        if is_development(w3):
            for name in (*DEMO_ACCOUNTS, "arbitrator"):
                give_coins(w3, self.accounts.load(name).address)
            give_coins(w3, sender.address)
        elif w3.eth.get_balance(sender.address) == 0:
            raise ChainError(f"{sender.address} pays the gas and holds no coins; send it some")

    def sender(self) -> LocalAccount:
        """The gas-paying account: OTC_KEYSTORE or OTC_PRIVATE_KEY, else one of the folder's."""
        return load_account() if is_configured(None) else self.accounts.load("sender")

    def arbitrator(self) -> str:
        given = self.options.arbitrator
        if given is None:
            return self.accounts.load("arbitrator").address
        if not Web3.is_address(given):
            raise OtcError(f"--arbitrator {given} is not an address")
        return Web3.to_checksum_address(given)

    def find_token(self, w3: Web3) -> str:
        """The token given, or the local one, deployed at the first start."""
        if self.options.token is not None:
            return require_token(w3, self.options.token)
        if self.options.rpc_url is not None:
            raise ChainError("give --token with --rpc-url")
        record = self.options.data_dir / "token.json"
        if record.exists():
            token = Web3.to_checksum_address(json.loads(record.read_text())["token"])
            if not w3.eth.get_code(token):
                raise ChainError(f"the local chain's state is lost; remove {record.parent}")
            return token
        owner = self.sender()
        token = Web3.to_checksum_address(deploy_token(w3, owner))
        for name in DEMO_ACCOUNTS:
            Wallet(w3, owner).transfer(token, self.accounts.load(name).address, DEMO_TOKEN_UNITS)
        record.write_text(json.dumps({"token": token}) + "\n")
        self.say(f"token deployed at {token}")
        return token

    def find_escrow(self, w3: Web3, rpc_url: str) -> deployment.Deployment:
        """The escrow on this chain, deployed if there is none."""
        chain_id = w3.eth.chain_id
        name = next((n.name for n in NETWORKS.values() if n.chain_id == chain_id), None)
        network = Network(name or f"chain-{chain_id}", chain_id, rpc_url)
        folder = self.options.data_dir / "deployments"
        path = folder / f"{network.name}.json"
        known = deployment.read(folder, network.name) if path.exists() else None
        found = deployment.deploy(network, rpc_url, self.sender(), known)
        if found != known:
            deployment.write(folder, found)
        self.say(f"escrow at {found.escrow}")
        return found

    def start_processes(self, ready: Ready, database_url: str, start_block: int) -> None:
        self.say(f"starting {', '.join(PROCESSES)}")
        settings = self.environment(ready, database_url, start_block)
        shown = {k: v for k, v in settings.items() if k not in SECRETS or k == SENDER_KEYSTORE}
        running.write(self.options.data_dir, shown)
        env = {**os.environ, **settings}
        for name in PROCESSES:
            command = [sys.executable, "-m", "coordinator.cli", "worker", name]
            child = Child(name, command, without_foreign_secrets(env, name), self.log_file(name))
            self.processes.append(child)
            child.start()

    def environment(self, ready: Ready, database_url: str, start_block: int) -> dict[str, str]:
        """The processes' settings; what the caller's environment says comes first."""
        configured = {k: v for k, v in os.environ.items() if k.startswith("OTC_")}
        defaults = {
            "OTC_FEE_RECIPIENT": self.accounts.load("treasury").address,
            "OTC_COSIGNER_PORT": str(free_port()),
            "OTC_COSIGNER_TOKEN": secrets.token_urlsafe(32),
            "OTC_COSIGNER_KEY": f"keystore:{self.accounts.path('coordinator')}",
            "OTC_COSIGNER_STOP_FILE": str(self.options.data_dir.resolve() / "cosigner.stop"),
            "OTC_PUBLIC_DOMAIN": f"127.0.0.1:{self.options.api_port}",
            "OTC_KEYSTORE_PASSWORD_FILE": str(self.accounts.password_file),
        }
        if not is_configured(None):
            defaults[SENDER_KEYSTORE] = str(self.accounts.path("sender"))
        return {
            **defaults,
            **configured,
            **self.options.settings,
            "DATABASE_URL": database_url,
            "OTC_RPC_URL": ready.rpc,
            "OTC_CHAIN_ID": str(ready.chain_id),
            "OTC_ESCROW": ready.escrow,
            "OTC_TOKEN": ready.token,
            "OTC_START_BLOCK": str(start_block),
            "OTC_COORDINATOR": ready.coordinator,
            "OTC_ARBITRATOR": ready.arbitrator,
            "OTC_API_PORT": str(self.options.api_port),
        }

    def await_ready(self, ready: Ready) -> None:
        """Wait until the API answers and the watcher has read a block."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self.revive()
            for child in self.children:
                if child.restarts > MAX_START_RESTARTS:
                    raise ChildFailed(f"{child.name} does not start: {child.last_words()}")
            try:
                health = httpx.get(f"{ready.api}/health", trust_env=False, timeout=2).json()
                if health["block"] > 0:
                    self.say("everything is up")
                    return
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            time.sleep(0.1)
        raise ChildFailed(f"not ready after {READY_SECONDS} s; see {self.options.data_dir}/logs")

    def revive(self) -> None:
        """Restart what has died, unless all is to end."""
        INTERRUPTS.check()
        for child in self.children:
            if child.revive():
                self.say(f"{child.name} had died and was started again; see {child.log}")

    def supervise(self, done: Callable[[], bool]) -> None:
        """Restart what dies until `done`."""
        while not done():
            self.revive()
            time.sleep(SUPERVISE_SECONDS)


def without_foreign_secrets(env: dict[str, str], process: str) -> dict[str, str]:
    """The environment for one process: a hole in the API must not show the keys."""
    return {k: v for k, v in env.items() if process in SECRETS.get(k, PROCESSES)}
