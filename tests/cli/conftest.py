"""A real chain, and the `otc` command as a user meets it."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result
from web3 import Web3

from coordinator.cli import app

ROOT = Path(__file__).resolve().parents[2]
# The first account that anvil funds; its key is public.
RICH_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
START_SECONDS = 20


@dataclass(frozen=True)
class Chain:
    """An anvil of one test."""

    url: str
    w3: Web3

    def rpc(self, method: str, *parameters: Any) -> Any:
        answer = self.w3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        assert "error" not in answer, answer
        return answer["result"]

    def sent_by(self, address: str) -> int:
        """How many transactions of the account were mined."""
        return self.w3.eth.get_transaction_count(Web3.to_checksum_address(address))


@contextmanager
def anvil(log: Path, *options: str) -> Iterator[Chain]:
    """A chain on a free loopback port, stopped at the end."""
    (binary,) = ROOT.glob("node_modules/@foundry-rs/anvil-*/bin/anvil")
    with log.open("w") as output:
        process = subprocess.Popen([binary, "--port", "0", *options], stdout=output)  # noqa: S603
    try:
        url = "http://" + listening(process, log)
        yield Chain(url, Web3(Web3.HTTPProvider(url)))
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """host:port once anvil says so."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        _, found, rest = log.read_text().partition("Listening on ")
        if found and "\n" in rest:
            return rest.splitlines()[0].strip()
        time.sleep(0.02)
    raise AssertionError(f"anvil did not start:\n{log.read_text()}")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    with anvil(tmp_path / "anvil.log") as running:
        yield running


Otc = Callable[..., Result]


@pytest.fixture
def otc() -> Otc:
    """Runs `otc` with arguments; options after them are environment variables."""
    runner = CliRunner()
    return lambda *arguments, **env: runner.invoke(app, [str(a) for a in arguments], env=env)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings or folder."""
    for name in ("PRIVATE_KEY", "KEYSTORE", "KEYSTORE_PASSWORD", "KEYSTORE_PASSWORD_FILE"):
        monkeypatch.delenv(f"OTC_{name}", raising=False)
    monkeypatch.delenv("OTC_RPC_URL_LOCAL", raising=False)
    monkeypatch.chdir(tmp_path)


def refused(result: Result, *words: str) -> None:
    """The command failed as promised: one line on stderr, exit code 1, nothing on stdout."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert not result.stdout
    for word in words:
        assert word in lines[0], lines[0]
