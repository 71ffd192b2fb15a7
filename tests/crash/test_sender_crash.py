"""A sender that dies outright while it sends a batch or fills a gap: the next one finishes it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount
from sqlalchemy import Engine
from sqlmodel import select

from coordinator.db.intents import Attempt
from coordinator.db.session import transaction
from tests.chain import Anvil
from tests.crash.test_crash import HOOKS
from tests.e2e.processes import FOREIGN, wait_until
from tests.findings.world import FINAL_AFTER_BLOCKS
from tests.sending.world import SendingWorld
from tests.world import ARBITRATOR, COORDINATOR, STRANGER

PATIENCE_SECONDS = 120
KILLED = -9


@pytest.fixture
def world(engine: Engine, anvil: Anvil) -> Iterator[SendingWorld]:
    made = SendingWorld(engine, anvil)
    try:
        yield made
    finally:
        made.close()


class Crashing:
    """`otc worker sender` on the world's chain and books; it dies at `point`, once."""

    def __init__(self, world: SendingWorld, point: str, folder: Path) -> None:
        self.world = world
        domain = world.platform.domain
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)},
            "PYTHONPATH": str(HOOKS),
            "CRASH_POINTS": point,
            "CRASH_MARKERS": str(folder),
            "DATABASE_URL": world.engine.url.render_as_string(hide_password=False),
            "OTC_RPC_URL": world.anvil.url,
            "OTC_CHAIN_ID": str(domain.chain_id),
            "OTC_ESCROW": domain.escrow,
            "OTC_TOKEN": world.platform.token,
            "OTC_FINALITY": str(FINAL_AFTER_BLOCKS),
            "OTC_COORDINATOR": COORDINATOR.address,
            "OTC_ARBITRATOR": ARBITRATOR.address,
            "OTC_FEE_RECIPIENT": world.platform.fee_recipient,
            "OTC_SENDER_KEYSTORE": str(keystore(folder, world.gas)),
            "OTC_KEYSTORE_PASSWORD": "p",
        }

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "coordinator.cli", "worker", "sender"]
        return subprocess.Popen(command, env=self.env)  # noqa: S603

    def dies(self) -> None:
        assert self.start().wait(PATIENCE_SECONDS) == KILLED

    def finishes(self) -> None:
        """Everything that was intended is mined."""
        process = self.start()
        try:
            wait_until(self.is_mined, PATIENCE_SECONDS, "all is mined")
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)

    def is_mined(self) -> bool:
        return {slot.status for slot in self.world.slots()} <= {"mined", "final"} and all(
            intent.status in ("mined", "final") for intent in self.world.intents()
        )


def keystore(folder: Path, account: LocalAccount) -> Path:
    path = folder / "sender.json"
    path.write_text(json.dumps(account.encrypt("p", iterations=2)))
    return path


@pytest.mark.parametrize("point", ["sender-batch-not-committed", "sender-batch-signed-not-sent"])
def test_a_batch_is_sent_once(world: SendingWorld, point: str) -> None:
    world.agreed(3)
    with tempfile.TemporaryDirectory() as folder:
        sender = Crashing(world, point, Path(folder))
        sender.dies()
        sender.finishes()
    world.mine()
    assert world.statuses() == ["completed"] * 3
    [slot] = world.slots()
    assert slot.gas_used
    assert len(world.attempts()) == 1


def set_clock(world: SendingWorld) -> None:
    """The process lives by the clock on the wall, not by the chain's, which tests move."""
    with transaction(world.engine) as session:
        for attempt in session.exec(select(Attempt)).all():
            attempt.signed_at = attempt.broadcast_at = int(time.time())


@pytest.mark.parametrize("point", ["sender-filler-not-committed", "sender-filler-signed-not-sent"])
def test_a_gap_is_filled_once(world: SendingWorld, point: str) -> None:
    """A transaction that nobody remembers took the nonce before ours, and was dropped."""
    world.agreed()
    with world.held_back(), tempfile.TemporaryDirectory() as folder:
        world.push(world.gas, STRANGER.address, b"", 10**9)
        world.sender.step()
        world.anvil.rpc("anvil_dropAllTransactions")
        world.sender.lock.release()
        set_clock(world)
        sender = Crashing(world, point, Path(folder))
        sender.dies()
        world.anvil.rpc("evm_setAutomine", True)
        sender.finishes()
    world.mine()
    assert world.statuses() == ["completed"]
    ours, filler = world.slots()
    assert (filler.nonce, filler.data) == (ours.nonce - 1, "0x")
    assert len(world.attempts()) == 2
