"""How fast settlements go out, and how soon after the signature that was missing.

    python benchmarks/sending.py           measures and writes results/sending.json
    python benchmarks/sending.py --short   a fifth of it, printed only

Real transactions on a local chain that makes a block of each at once, and a real database. The
time between the last trader's signature and the broadcast goes through keeper, co-signer and
sender as processes of their own; what their node took to answer is measured on the way to it and
reported apart.
"""

import json
import math
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import quantiles
from typing import Any, cast

import httpx
import requests
from eth_account.signers.local import LocalAccount

from benchmarks.machine import machine
from benchmarks.workers import PATIENCE_SECONDS, await_true, environment, workers
from coordinator.adapters.chain.sender import Account
from coordinator.bootstrap.sender import read_final_number
from coordinator.stack.ports import free_port
from coordinator.workers.sender import Sender
from tests.chain import Anvil
from tests.database import running_server
from tests.findings.world import FINAL_AFTER_BLOCKS
from tests.sending.world import SendingWorld
from tests.world import AMOUNT, COORDINATOR, SELLER

RESULTS = Path(__file__).parent / "results" / "sending.json"
COMMAND = "python benchmarks/sending.py"
SETTLEMENTS = 60
KEYS = 3
SIGNATURES = 60
PASSWORD = "benchmark"  # noqa: S105 - of keystores that live as long as the run
SEND = "eth_sendRawTransaction"


# Settlements a second


def throughput(world: SendingWorld, count: int, senders: list[Sender], batches: bool) -> Any:
    """All wait already when the keys begin; the clock stops when the last is in a block."""
    final_number = partial(read_final_number, world.engine, world.platform.domain.chain_id)
    for sender in senders:
        cast("Account", sender.node).no_simulation_until = 0.0 if batches else math.inf
        sender.flight.final_number = final_number
    before = len(world.slots())
    world.agreed(count)
    for sender in senders:
        sender.look()
    began = time.monotonic()
    with ThreadPoolExecutor(len(senders)) as pool:
        list(pool.map(lambda sender: work(world, sender, began), senders))
    seconds = time.monotonic() - began
    slots = world.slots()[before:]
    world.mine()
    require_as_asked(world, count, len(slots), batches)
    return {
        "keys": len(senders),
        "batches": batches,
        "settlements": count,
        "transactions": len(slots),
        "settlements_per_second": round(count / seconds, 1),
        "gas_per_settlement": sum(slot.gas_used or 0 for slot in slots) // count,
        "estimated_gas_per_settlement_alone": sum(slot.singles_gas for slot in slots) // count,
    }


def work(world: SendingWorld, sender: Sender, began: float) -> None:
    while any(intent.status in ("pending", "sent") for intent in world.intents()):
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError("the settlements do not come to an end")
        sender.step()


def require_as_asked(world: SendingWorld, count: int, transactions: int, batches: bool) -> None:
    """Raise RuntimeError unless all are settled: one each without batches, fewer with them."""
    if set(world.statuses()) != {"completed"}:
        raise RuntimeError(f"not all are settled: {sorted(set(world.statuses()))}")
    if transactions > count or (transactions < count) is not batches:
        raise RuntimeError(f"{count} settlements, {transactions} transactions, batches: {batches}")


# From the last signature to the broadcast


class Line:
    """The way to the node; knows when each question came and how long its answer took."""

    def __init__(self, url: str) -> None:
        self.asked: list[tuple[str, float, float]] = []
        self.sent = threading.Condition()
        line, local = self, threading.local()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                began = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not hasattr(local, "session"):
                    local.session = requests.Session()
                    local.session.trust_env = False
                answer = local.session.post(
                    url, data=body, headers={"Content-Type": "application/json"}
                ).content
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                line.note(json.loads(body)["method"], began, time.monotonic())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, method: str, began: float, ended: float) -> None:
        with self.sent:
            self.asked.append((method, began, ended))
            self.sent.notify_all()

    def first_send(self) -> float:
        """When the broadcast reached the node."""
        with self.sent:
            if not self.sent.wait_for(self.sends, PATIENCE_SECONDS):
                raise TimeoutError("nothing was broadcast")
            return self.sends()[0]

    def sends(self) -> list[float]:
        return [began for method, began, _ in self.asked if method == SEND]

    def busy(self, since: float, until: float) -> float:
        """Seconds within which at least one question was being answered."""
        spans = sorted((max(a, since), min(b, until)) for _, a, b in self.asked)
        seconds, end = 0.0, since
        for began, ended in spans:
            seconds += max(0.0, ended - max(began, end))
            end = max(end, ended)
        return seconds


@contextmanager
def processes(world: SendingWorld, database: str, line: Line) -> Iterator[None]:
    """Keeper, co-signer and sender, which have started."""
    with tempfile.TemporaryDirectory() as folder:
        port = str(free_port())
        settings = {
            **environment(world.platform, database, line.url, FINAL_AFTER_BLOCKS),
            **keys(world, Path(folder), port),
        }
        with workers(settings, "cosigner", "keeper", "sender"):
            url = f"http://127.0.0.1:{port}/address"
            await_true("the processes do not start", lambda: answers(url))
            yield


def keys(world: SendingWorld, folder: Path, port: str) -> dict[str, str]:
    """The settings of those who sign."""
    return {
        "OTC_COSIGNER_PORT": port,
        "OTC_COSIGNER_TOKEN": PASSWORD * 4,
        "OTC_COSIGNER_KEY": f"keystore:{keystore(folder, COORDINATOR)}",
        "OTC_SENDER_KEYSTORE": str(keystore(folder, world.anvil.funded_account())),
        "OTC_KEYSTORE_PASSWORD": PASSWORD,
        "OTC_MAX_DAY_FEE_WEI": str(10**20),
    }


def keystore(folder: Path, account: LocalAccount) -> Path:
    path = folder / f"{account.address}.json"
    path.write_text(json.dumps(account.encrypt(PASSWORD, iterations=2)))
    return path


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code < httpx.codes.INTERNAL_SERVER_ERROR
    except httpx.HTTPError:
        return False


def latency(world: SendingWorld, line: Line, count: int) -> dict[str, Any]:
    """One order after the other; the first of them finds everything started."""
    whole, own = [], []
    for order_id in world.funded_many(count + 1):
        world.mark_paid(order_id)
        until = world.now + 3600
        signature = world.settlement_signature(order_id, SELLER, AMOUNT, until)
        line.asked.clear()
        world.sign_settlement(order_id, SELLER, AMOUNT, until, signature)
        committed = time.monotonic()
        sent = line.first_send()
        whole.append(sent - committed)
        own.append(sent - committed - line.busy(committed, sent))
        # What is final frees the sender's place, and the next order's way.
        world.mine()
    return {"signatures": count, "whole_ms": spread(whole[1:]), "own_ms": spread(own[1:])}


def spread(seconds: list[float]) -> dict[str, float]:
    parts = quantiles(seconds, n=100, method="inclusive")
    return {"p50": round(parts[49] * 1000, 1), "p99": round(parts[98] * 1000, 1)}


def measure(count: int, signatures: int) -> dict[str, Any]:
    with ExitStack() as stack:
        anvil = Anvil().start()
        stack.callback(anvil.stop)
        database = stack.enter_context(running_server())
        name = database.create()
        engine = database.connect(name)
        stack.callback(engine.dispose)
        world = SendingWorld(engine, anvil)
        stack.callback(world.close)
        result: dict[str, Any] = {"command": COMMAND, "machine": machine()}
        senders = [world.sender, *(world.another_key() for _ in range(KEYS - 1))]
        result["throughput"] = [
            throughput(world, count, some, batches)
            for some in (senders[:1], senders)
            for batches in (False, True)
        ]
        for sender in senders:
            sender.lock.release()
        line = Line(str(anvil.w3.provider.endpoint_uri))  # type: ignore[attr-defined]
        stack.callback(line.server.shutdown)
        with processes(world, database.url(name), line):
            result["both_signatures_to_broadcast"] = latency(world, line, signatures)
        return result


def main() -> None:
    short = "--short" in sys.argv[1:]
    part = 5 if short else 1
    result = measure(SETTLEMENTS // part, SIGNATURES // part)
    text = json.dumps(result, indent=2)
    print(text)
    if not short:
        RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
