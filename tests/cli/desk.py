"""A whole stack as a subprocess, and the people who trade on it by the `otc` command."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from otc_sdk.chain import connect
from otc_sdk.keystore import PASSWORD_FILE, load_account
from typer.testing import CliRunner, Result
from web3 import Web3

from coordinator.cli import app
from coordinator.stack.ports import free_port
from tests.cli.command import OTC

START_SECONDS = 120
STOP_SECONDS = 60
WAIT_SECONDS = 60
Json = Any


@dataclass(frozen=True)
class Desk:
    """A running stack, and the people who trade on it."""

    api: str
    rpc: str
    token: str
    keys: Path

    def person(self, name: str) -> "Person":
        return Person(self, self.keys / f"{name}.json")

    def environment(self) -> dict[str, str]:
        return {
            "OTC_API": self.api,
            "OTC_RPC_URL": self.rpc,
            "OTC_HOME": str(self.keys.parent / "home"),
            "OTC_KEYSTORE_PASSWORD_FILE": str(self.keys / "password"),
            "COLUMNS": "200",
        }

    def balance(self, address: str) -> int:
        data = Web3.keccak(text="balanceOf(address)")[:4] + bytes(12) + bytes.fromhex(address[2:])
        call = {"to": Web3.to_checksum_address(self.token), "data": data}
        return int.from_bytes(connect(self.rpc).eth.call(call), "big")  # type: ignore[arg-type]


@dataclass(frozen=True)
class Person:
    """Somebody with a keystore."""

    desk: Desk
    keystore: Path

    def run(self, *arguments: object, input: str | None = None, **env: str) -> Result:  # noqa: A002
        words = [*map(str, arguments), "--keystore", str(self.keystore)]
        environ = {**self.desk.environment(), **env}
        return CliRunner().invoke(app, words, env=environ, input=input)

    def __call__(self, *arguments: object) -> Json:
        """The JSON of a command that succeeds."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    @property
    def address(self) -> str:
        environ = {PASSWORD_FILE: str(self.desk.keys / "password")}
        return str(load_account(self.keystore, environ=environ).address)

    def wait_for(self, order: str, done: Callable[[Json], bool]) -> Json:
        deadline = time.monotonic() + WAIT_SECONDS
        while not done(found := self("order", "show", order)):
            assert time.monotonic() < deadline, (found["status"], found["settlements"])
            time.sleep(0.3)
        return found

    def sees(self, order: str, status: str) -> Json:
        return self.wait_for(order, lambda o: o["status"] == status)


@contextmanager
def running_desk(folder: Path) -> Iterator[Desk]:
    """`otc up` on free ports, ended whatever happens."""
    command = [OTC, "up", "--port", str(free_port()), "--rpc-port", str(free_port()),
               "--data-dir", str(folder / "d"), "--json"]  # fmt: skip
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTC_", "DATABASE_"))}
    with (folder / "err").open("w") as notes, (folder / "out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=notes, env=environ)  # noqa: S603
        try:
            ready = await_ready(process, folder)
            yield Desk(ready["api"], ready["rpc"], ready["token"], Path(ready["keystores"]))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_ready(process: "subprocess.Popen[bytes]", folder: Path) -> Json:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if text := (folder / "out").read_text().strip():
            return json.loads(text)
        time.sleep(0.1)
    raise RuntimeError(f"the stack did not start: {(folder / 'err').read_text()}")
