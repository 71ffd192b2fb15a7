"""New blocks wake the watcher; whatever else a node does on its WebSocket, it is polled."""

import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from websockets.sync.server import ServerConnection

from coordinator.adapters.chain import new_heads
from coordinator.adapters.chain.new_heads import MAX_MESSAGE_BYTES, NewHeads
from coordinator.stack.ports import free_port
from tests.adapters.websocket_node import (
    ANSWER,
    HEAD,
    Act,
    WebSocketNode,
    mute_subscription,
    saying,
    subscribed,
    until_gone,
)
from tests.certificates import self_signed
from tests.chain import Anvil
from tests.cli.operator import Settings
from tests.e2e.processes import Run, wait_until
from tests.findings.world import LiveWorld
from tests.woken import PATIENCE_SECONDS, Woken

NEVER_SECONDS = 3600
# As often as the watcher may be told to poll, and longer than a test waits.
LONG_POLL_SECONDS = 60
SECRET = "a-secret-key-in-the-url"
REFUSAL = '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"the method does not exist"}}'
WELL_WAKES = 2  # at the subscription, and at the block after it


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_heads, "RECONNECT_SECONDS", 0.01)


def websocket_of(anvil: Anvil) -> str:
    return anvil.url.replace("http", "ws", 1)


def require_ended(heads: NewHeads) -> None:
    heads.thread.join(PATIENCE_SECONDS)
    assert not heads.thread.is_alive()


def test_a_mined_block_wakes(anvil: Anvil, woken: Woken) -> None:
    with NewHeads(websocket_of(anvil), woken) as heads:
        assert heads.listening.wait(PATIENCE_SECONDS)
        assert woken.reaches(1), "once for what was mined before"
        for blocks in (1, 2):
            anvil.rpc("evm_mine")
            assert woken.reaches(1 + blocks)
    require_ended(heads)


def closing(connection: ServerConnection) -> None:
    connection.close()


def breaking(connection: ServerConnection) -> None:
    """No frame begins like this."""
    subscribed(connection)
    connection.socket.sendall(b"\xff" * 32)
    until_gone(connection)


def no_text(connection: ServerConnection) -> None:
    subscribed(connection)
    connection.send(b"\xff", text=True)


def endless(connection: ServerConnection) -> None:
    """Pieces of a message that has no end."""

    def pieces() -> Iterator[str]:
        yield from ("", "")
        raise ZeroDivisionError

    subscribed(connection)
    with suppress(ZeroDivisionError):
        connection.send(pieces())


def then(size: int) -> Act:
    """A message of so many bytes after the subscription."""

    def act(connection: ServerConnection) -> None:
        subscribed(connection)
        connection.send("x" * size)
        if size > MAX_MESSAGE_BYTES:
            until_gone(connection)

    return act


@pytest.mark.parametrize(
    ("act", "wakes"),
    [
        pytest.param(401, 0, id="refuses the handshake"),
        pytest.param(closing, 0, id="closes at once"),
        pytest.param(saying(REFUSAL), 0, id="refuses the subscription"),
        pytest.param(saying('{"result": 7}'), 0, id="subscribes to a number"),
        pytest.param(saying('"0x1"'), 0, id="says but a word"),
        pytest.param(saying("[" * 50_000), 0, id="nests for ever"),
        pytest.param(saying(b"\xff\xfe\x00"), 0, id="answers with bytes"),
        pytest.param(saying(""), 0, id="answers with nothing"),
        pytest.param(saying("x" * (MAX_MESSAGE_BYTES + 1)), 0, id="answers at great length"),
        pytest.param(breaking, 1, id="breaks the protocol"),
        pytest.param(no_text, 2, id="says what is no text"),
        pytest.param(endless, 3, id="is not kept until its message ends"),
        pytest.param(then(MAX_MESSAGE_BYTES), 2, id="says as much as it may"),
        pytest.param(then(MAX_MESSAGE_BYTES + 1), 1, id="says more than it may"),
    ],
)
def test_a_bad_node_is_tried_again_until_it_is_well(
    act: Act | int, wakes: int, woken: Woken
) -> None:
    with WebSocketNode(act, act) as node, NewHeads(node.url, woken) as heads:
        assert woken.reaches(2 * wakes + WELL_WAKES)
    require_ended(heads)
    assert woken.count == 2 * wakes + WELL_WAKES
    assert len(node.requests) == 3


def test_a_line_that_died_without_a_word_is_noticed(
    woken: Woken, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("PING_SECONDS", "PONG_SECONDS", "CLOSE_SECONDS"):
        monkeypatch.setattr(new_heads, name, 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with NewHeads(url, woken) as heads, mute_subscription(listener):
            assert woken.reaches(1)
            with mute_subscription(listener):  # it came back
                assert woken.reaches(2)
        require_ended(heads)
    assert "Traceback" not in caplog.text


def test_a_flood_wakes_no_more_often_than_it_may(
    woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_heads, "MIN_WAKE_SECONDS", NEVER_SECONDS)
    arrived = Woken()

    def flood(connection: ServerConnection) -> None:
        subscribed(connection)
        for _ in range(10):
            connection.send(HEAD)
        if connection.ping().wait(PATIENCE_SECONDS):  # answered after all that came before
            arrived()
        until_gone(connection)

    with WebSocketNode(flood) as node, NewHeads(node.url, woken) as heads:
        assert arrived.reaches(1)
        assert not woken.reaches(2, seconds=0.2)
        assert woken.count == 1
    require_ended(heads)


def test_what_a_flood_held_back_wakes_later(woken: Woken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_heads, "MIN_WAKE_SECONDS", 0.001)
    with WebSocketNode(saying(*[ANSWER] * 100)) as node, NewHeads(node.url, woken) as heads:
        assert woken.reaches(100)
    require_ended(heads)


def told_off(connection: ServerConnection) -> None:
    """The reason is the node's to choose, and may repeat what it was asked with."""
    connection.close(1008, f"wrong key {SECRET}")


def one_block(connection: ServerConnection) -> None:
    subscribed(connection)
    connection.send(HEAD)
    connection.close(1001, SECRET)


def test_an_outage_is_one_line_without_secrets(
    woken: Woken, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    acts: list[Act | int] = [401, told_off, saying(REFUSAL), one_block, saying(REFUSAL), told_off]
    with capture_logs() as logs, WebSocketNode(*acts) as node:
        url = f"ws://user:{SECRET}@{node.address}/{SECRET}?key={SECRET}"
        with NewHeads(url, woken) as heads:
            assert woken.reaches(2 * WELL_WAKES)
        require_ended(heads)
    lost, back = "no new heads, only polling", "new heads come again"
    assert [entry["event"] for entry in logs] == [lost, back, lost, back]
    assert [entry.get("error") for entry in logs] == [
        "server rejected WebSocket connection: HTTP 401", None, "ConnectionClosedOK", None,
    ]  # fmt: skip
    assert {entry["node"] for entry in logs} == {f"ws://{node.address}"}
    assert SECRET not in str(logs) + caplog.text
    assert all("Authorization" in request.headers for request in node.requests)
    assert {request.path for request in node.requests} == {f"/{SECRET}?key={SECRET}"}


def silent(connection: ServerConnection) -> None:
    subscribed(connection)
    until_gone(connection)


@pytest.fixture(params=["waits for a block", "waits before it tries again", "waits for its turn"])
def idle(
    request: pytest.FixtureRequest, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> Iterator[NewHeads]:
    """Begun, with nothing to do."""
    if request.param == "waits before it tries again":
        monkeypatch.setattr(new_heads, "RECONNECT_SECONDS", NEVER_SECONDS)
        yield NewHeads(f"ws://127.0.0.1:{free_port()}", woken)
        return
    turn = NEVER_SECONDS if request.param == "waits for its turn" else 0.001
    monkeypatch.setattr(new_heads, "MIN_WAKE_SECONDS", turn)
    with WebSocketNode(silent) as node:
        yield NewHeads(node.url, woken)


def test_leaving_ends_it(idle: NewHeads) -> None:
    with capture_logs() as logs:
        with idle:
            wait_until(lambda: idle.listening.is_set() or logs, PATIENCE_SECONDS, "it has begun")
            before = list(logs)
        require_ended(idle)
    assert logs == before, "its end is no outage"


def test_a_certificate_is_checked(
    woken: Woken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    with WebSocketNode(certificate=certificate) as node:
        with capture_logs() as logs, NewHeads(node.url, woken) as stranger:
            wait_until(lambda: logs, PATIENCE_SECONDS, "it is refused")
        require_ended(stranger)
        assert logs[0]["error"] == "SSLCertVerificationError"
        assert woken.count == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with NewHeads(node.url, woken) as known:
            assert woken.reaches(WELL_WAKES)
        require_ended(known)


def watches(live: LiveWorld, settings: Settings) -> None:
    """`otc worker watcher` reads one block, and then another."""
    live.watcher.lock.release()
    with Run("worker", "watcher", **settings) as run:
        for _ in range(2):
            live.anvil.rpc("evm_mine")
            wait_until(lambda: live.cursor().number == live.anvil.w3.eth.block_number,
                       PATIENCE_SECONDS, f"the block is read; {run.said()}")  # fmt: skip
        assert run.interrupt(signal.SIGTERM) == 0
        run.require_nothing_left()


def test_the_watcher_reads_a_block_long_before_it_polls(
    live: LiveWorld, settings: Settings
) -> None:
    settings["OTC_WS_URL"] = websocket_of(live.anvil)
    settings["OTC_POLL_SECONDS"] = str(LONG_POLL_SECONDS)
    watches(live, settings)


def test_the_watcher_polls_where_nothing_wakes_it(live: LiveWorld, settings: Settings) -> None:
    settings["OTC_WS_URL"] = f"ws://127.0.0.1:{free_port()}"
    watches(live, settings)
