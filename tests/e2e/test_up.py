"""`otc up`: from a cold start to Ctrl-C, again on the same folder, and reasons not to start."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from otc_sdk.chain import Wallet
from otc_sdk.errors import ChainError

from coordinator.db.chain import Cursor
from coordinator.db.session import transaction
from coordinator.stack.database import EmbeddedDatabase
from coordinator.stack.local_chain import LocalChain, deploy_token, give_coins
from coordinator.stack.ports import free_port
from tests.chain import Anvil
from tests.database import DatabaseServer
from tests.e2e.processes import Run, folder, require_refused, wait_until
from tests.e2e.trade import AMOUNT_UNITS, Trade

pytestmark = pytest.mark.xdist_group("stack")
NOWHERE = "0x" + "12" * 20
KEYS = {"api", "rpc", "chain_id", "token", "escrow", "coordinator", "arbitrator", "keystores"}
SAME = ("chain_id", "token", "escrow", "coordinator", "arbitrator")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with folder() as path:
        yield path


def up(data_dir: Path, *options: object, **environ: str) -> Run:
    ports = ("--port", free_port(), "--rpc-port", free_port())
    return Run("up", "--json", "--data-dir", data_dir, *ports, *options, **environ)


def health(ready: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{ready['api']}/health", trust_env=False).json()
    return answer


def end(run: Run, number: signal.Signals) -> None:
    assert run.interrupt(number) == 0, run.said()
    assert "Traceback" not in run.said()
    run.require_nothing_left()


def test_a_second_start_resumes_where_the_first_one_ended(data_dir: Path) -> None:
    with up(data_dir) as run:
        first = run.await_ready()
        assert set(first) == KEYS
        assert first["chain_id"] == 31337
        with Trade(first, data_dir) as trade:
            before = trade.balances()
            trade.open()
            trade.fund()
            trade.await_status("awaiting_payment")
            read, ads = health(first)["block"], trade.buyer.get("/ads", side="sell", fiat="EUR")
            held = trade.balances()
        assert held[3] == AMOUNT_UNITS
        require_refused_beside(data_dir, first)
        end(run, signal.SIGINT)
    with up(data_dir) as run:
        second = run.await_ready()
        assert {k: second[k] for k in SAME} == {k: first[k] for k in SAME}
        assert health(second)["block"] >= read
        with Trade(second, data_dir) as resumed:
            resumed.order = trade.order
            assert resumed.buyer.get("/ads", side="sell", fiat="EUR") == ads
            assert resumed.now()["status"] == "awaiting_payment"
            assert resumed.balances() == held
            resumed.pay()
            resumed.release()
            resumed.await_status("completed")
            resumed.require_released_once(before)
        end(run, signal.SIGTERM)


def require_refused_beside(data_dir: Path, ready: dict[str, Any]) -> None:
    """While a stack runs, neither its folder nor its ports can be used by another."""
    require_refused(up(data_dir), "another stack runs in", str(data_dir))
    api, rpc = (ready[key].rsplit(":")[-1] for key in ("api", "rpc"))
    with folder() as other:
        require_refused(up(other, "--port", api), f"port {api} is taken", "--port")
        require_refused(up(other, "--rpc-port", rpc), f"port {rpc} is taken", "--rpc-port")


def test_node_and_database_may_go_away_and_come_back(data_dir: Path) -> None:
    database = EmbeddedDatabase(data_dir / "server" / "pg")
    chain = LocalChain(free_port(), data_dir / "node.json", data_dir / "node.log")
    try:
        chain.child.start()
        owner = Account.create()
        w3 = chain.await_up()
        give_coins(w3, owner.address)
        token = deploy_token(w3, owner)
        url = database.start()
        environ = {"DATABASE_URL": url, "OTC_WS_URL": chain.rpc_url.replace("http", "ws", 1)}
        with up(data_dir, "--rpc-url", chain.rpc_url, "--token", token, **environ) as run:
            ready = run.await_ready()
            assert (ready["rpc"], ready["token"]) == (chain.rpc_url, token)
            assert "escrow at" in run.said()
            assert "anvil" not in run.names()
            with Trade(ready, data_dir) as trade:
                Wallet(w3, owner).transfer(token, trade.seller.address, 3 * AMOUNT_UNITS)
                play_through_outages(trade, chain, database, data_dir)
            end(run, signal.SIGINT)
        # What is not ours still runs.
        assert w3.eth.chain_id == ready["chain_id"]
    finally:
        chain.child.stop()
        database.stop()


def play_through_outages(
    trade: Trade, chain: LocalChain, database: EmbeddedDatabase, data_dir: Path
) -> None:
    before = trade.balances()
    trade.open()
    trade.fund()
    chain.child.stop()
    await_waiting(data_dir, "watcher", "sender")
    assert "no new heads, only polling" in (data_dir / "logs" / "watcher.log").read_text()
    chain.child.start()
    chain.await_up()
    trade.await_status("awaiting_payment")
    database.stop()
    await_waiting(data_dir, "watcher", "sender", "keeper")
    assert httpx.get(f"{trade.ready['api']}/health", trust_env=False).status_code == 503
    database.start()
    trade.pay()
    chain.child.stop()
    trade.release()
    await_waiting(data_dir, "watcher", "sender", "cosigner")
    chain.child.start()
    chain.await_up()
    trade.await_status("completed")
    trade.require_released_once(before)


def await_waiting(data_dir: Path, *names: str) -> None:
    """Until each worker has said since now that it waits; a dead worker would not come back."""
    files = {name: data_dir / "logs" / f"{name}.log" for name in names if name != "cosigner"}
    seen = {name: len(path.read_text()) for name, path in files.items()}
    wait_until(
        lambda: all("waiting" in path.read_text()[seen[name] :] for name, path in files.items()),
        60,
        f"{', '.join(names)} wait",
    )


def test_a_token_that_is_none(anvil: Anvil, data_dir: Path) -> None:
    rpc = ("--rpc-url", anvil.url)
    require_refused(up(data_dir, *rpc), "--token")
    require_refused(up(data_dir, *rpc, "--token", "USDT"), "USDT is not an address")
    require_refused(up(data_dir, *rpc, "--token", NOWHERE), "no token at")
    escrow = anvil.deploy_escrow().escrow
    require_refused(up(data_dir, *rpc, "--token", escrow), "is not an ERC-20 token")
    require_refused(up(data_dir, "--arbitrator", "me"), "--arbitrator me is not an address")


def test_a_node_that_is_down_keeps_its_secret_path(data_dir: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    run = up(data_dir, "--rpc-url", f"{url}/v2/secret-key", "--token", NOWHERE)
    with run:
        assert run.wait(60) == 1
        assert f"no node answers at {url}" in run.said()
        assert "secret-key" not in run.said()
        run.require_nothing_left()


def test_a_database_that_is_down_or_no_database(data_dir: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        url = f"postgresql://somebody:secret-word@127.0.0.1:{port}/otc"
        run = up(data_dir, DATABASE_URL=url)
        with run:
            assert run.wait(60) == 1
            assert (
                f"no database answers at postgresql+psycopg://somebody:***@127.0.0.1:{port}/otc"
                in (run.said())
            )
            assert "secret-word" not in run.said()
            run.require_nothing_left()
    require_refused(up(data_dir, DATABASE_URL="otc"), "DATABASE_URL must be postgresql:")


@pytest.mark.parametrize(("chain_id", "words"), [(1, "belongs to chain 1,"), (31337, "belongs to")])
def test_a_database_of_another_chain(
    database_server: DatabaseServer, data_dir: Path, chain_id: int, words: str
) -> None:
    name = database_server.create()
    engine = database_server.connect(name)
    foreign = "0x" + "ab" * 32
    with transaction(engine) as session:
        session.add(Cursor(chain_id=chain_id, number=0, hash=foreign, time=1, final_number=0,
                           final_hash=foreign, final_time=1, epoch=1))  # fmt: skip
    engine.dispose()
    run = up(data_dir, DATABASE_URL=database_server.url(name))
    require_refused(run, f"/{name}", words, "use another database")
    database_server.drop(name)


def test_a_dead_node_is_known_at_once() -> None:
    from otc_sdk.chain import connect

    with pytest.raises(ChainError, match="no node answers"):
        connect(f"http://127.0.0.1:{free_port()}")
