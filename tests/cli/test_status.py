"""`otc status`: 0 all is well, 1 something is wrong and named, 2 cannot tell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from otc_sdk import keystore
from sqlalchemy import text
from typer.testing import Result

from coordinator.db.intents import Intent, Slot
from coordinator.db.session import transaction
from coordinator.domain.health import STUCK_AFTER_SECONDS
from coordinator.domain.nodes import NodeReport, NodeState
from coordinator.services import halting, node_health
from coordinator.stack import running
from coordinator.stack.ports import free_port
from tests.adapters.answering import serving
from tests.cli.command import Otc
from tests.cli.operator import SECRET, Settings
from tests.findings.world import LiveWorld
from tests.world import AMOUNT, SELLER, STRANGER

JSON = {"content-type": "application/json"}


def cannot_tell(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert not result.stdout
    for word in ("cannot tell", *words):
        assert word in result.stderr


def test_no_coordinator_runs_here(otc: Otc, tmp_path: Path) -> None:
    cannot_tell(otc("status"), "no stack runs in .otc")
    cannot_tell(otc("status", "--data-dir", tmp_path), f"no stack runs in {tmp_path}")


def test_no_database_answers(otc: Otc, settings: Settings) -> None:
    url = f"postgresql://otc:{SECRET}@127.0.0.1:{free_port()}/otc"
    result = otc("status", **{**settings, "DATABASE_URL": url})
    cannot_tell(result, "no database answers", "otc:***@127.0.0.1")
    assert SECRET not in result.output


def test_a_setting_is_missing(otc: Otc, settings: Settings) -> None:
    del settings["DATABASE_URL"]
    cannot_tell(otc("status", **settings), "the setting DATABASE_URL")


@pytest.mark.parametrize("name", ["DATABASE_URL", "OTC_MORE_RPC_URLS", "OTC_SENDER_KEYSTORES"])
def test_a_setting_is_malformed(otc: Otc, settings: Settings, name: str) -> None:
    """Found: it was a traceback, and the exit code that says something is wrong."""
    result = otc("status", **{**settings, name: f"https://{SECRET}"})
    cannot_tell(result, f"{name} must be ")
    assert len(result.stderr.splitlines()) == 1
    assert SECRET not in result.output


def test_a_node_that_says_nonsense_of_coins(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    """Found: a balance of null was compared with a number, and nothing at all was shown."""

    def answer_to(request: bytes) -> bytes:
        asked = json.loads(request)
        if asked["method"] == "eth_getBalance":
            return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": None}).encode()
        answer = httpx.post(settings["OTC_RPC_URL"], content=request, headers=JSON, trust_env=False)
        return answer.content

    sign_release(live)
    live.keeper.step()
    live.carry()
    with serving(answer_to) as url:
        [fault] = faults(otc("status", "--json", **{**settings, "OTC_RPC_URL": url}))
    assert fault["code"] == "chain"
    assert "read_coins makes no sense" in fault["message"]


def test_a_database_of_another_release(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    execute(live, "update alembic_version set version_num = 'other'")
    cannot_tell(otc("status", **settings), "the database's schema is other")


def execute(world: LiveWorld, statement: str) -> None:
    with transaction(world.engine) as session:
        session.connection().execute(text(statement))


def halt(world: LiveWorld) -> None:
    with transaction(world.engine) as session:
        halting.halt(session, world.platform.domain.chain_id, "block 7 is gone")


def fall_behind(world: LiveWorld) -> None:
    execute(world, "update chain_cursors set time = time - 1000000")


def never_begin(world: LiveWorld) -> None:
    execute(world, "delete from chain_cursors")


def lose_a_node(world: LiveWorld) -> None:
    down = NodeReport("https://two.example", "reader", 0, 0, 0, 9, NodeState.DOWN, "no answer")
    with transaction(world.engine) as session:
        node_health.report(session, world.platform.domain.chain_id, [down], 1)


def leave_an_intent(world: LiveWorld) -> None:
    order_id = world.place(world.post_ad())
    with transaction(world.engine) as session:
        session.add(
            Intent(
                key="settle:1", chain_id=world.platform.domain.chain_id, order_id=order_id,
                to=world.platform.domain.escrow, data="0x", status="pending",
                reason="the token is paused", created_at=1,
            )
        )  # fmt: skip


@pytest.mark.parametrize(
    ("harm", "code", "word"),
    [
        (halt, "halted", "block 7 is gone"),
        (fall_behind, "lag", "s old; the limit is 120 s"),
        (never_begin, "not_read", "has not read chain 31337 yet"),
        (lose_a_node, "node", "https://two.example is down: no answer"),
        (leave_an_intent, "stuck", f"1 transactions wait for longer than {STUCK_AFTER_SECONDS} s"),
    ],
)
def test_the_books_say_what_is_wrong(
    otc: Otc, live: LiveWorld, settings: Settings, harm: Callable[[LiveWorld], None], code: str,
    word: str,
) -> None:  # fmt: skip
    harm(live)
    [fault] = faults(otc("status", "--json", **settings))
    assert fault["code"] == code
    assert word in fault["message"]


def faults(result: Result) -> list[dict[str, str]]:
    assert result.exit_code == 1, result.output
    found: list[dict[str, str]] = json.loads(result.stdout)["faults"]
    return found


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("OTC_RPC_URL", f"http://127.0.0.1:1/{SECRET}", "node failed"),
        ("OTC_CHAIN_ID", "1", "is on chain 31337"),
        ("OTC_COSIGNER_PORT", "1", "the co-signer does not answer"),
        ("OTC_COORDINATOR", STRANGER.address, "the co-signer's key is"),
    ],
)
def test_what_does_not_answer_as_it_should(
    otc: Otc, settings: Settings, name: str, value: str, word: str
) -> None:
    result = otc("status", "--json", **{**settings, name: value})
    assert any(word in fault["message"] for fault in faults(result))
    assert SECRET not in result.output


def test_a_sender_without_coins(otc: Otc, settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "sender.json"
    address = keystore.create(path, "x" * 12, keystore.LIGHT_SCRYPT_N)
    [fault] = faults(otc("status", "--json", **settings, OTC_SENDER_KEYSTORE=str(path)))
    assert fault["code"] == "coins"
    assert address in fault["message"]


def sign_release(live: LiveWorld) -> str:
    order_id = live.funded()
    live.sign_settlement(order_id, SELLER, AMOUNT)
    return order_id


def test_all_is_well(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    sign_release(live)
    live.keeper.step()
    live.carry()
    live.sender.step()
    live.read()
    result = otc("status", "--json", **settings)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert (found["healthy"], found["faults"], found["cosigner"]) == (True, [], "reachable")
    assert found["chain"]["read"] == found["chain"]["head"] == live.chain.head().number
    assert found["chain"]["lag_blocks"] == 0
    assert found["orders"]["completed"] == 1
    assert found["senders"][0]["address"] == live.gas.address
    assert found["senders"][0]["nonce"] == 1


def test_whose_turn_it_is(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    sign_release(live)
    order_id = live.funded()
    live.sign_settlement(order_id, SELLER, AMOUNT // 2)
    found = json.loads(otc("status", "--json", **settings).stdout)
    assert found["settlements"]["waiting_for"] == {"co-signer": 1, "buyer": 1}
    shown = otc("status", **settings)
    for word in ("co-signer", "awaiting_payment", "all is well", "reachable"):
        assert word in shown.stdout
    assert SECRET not in shown.output


def test_what_batches_saved(otc: Otc, live: LiveWorld, settings: Settings) -> None:
    """Found: it was told in a line of the log only."""
    assert "saved by batches" not in otc("status", **settings).stdout
    for order_id in [live.funded() for _ in range(2)]:
        live.split(order_id, AMOUNT)
    live.carry(2)
    [slot] = live.all(Slot)
    saved = slot.singles_gas - slot.gas_used
    assert saved > 0
    found = json.loads(otc("status", "--json", **settings).stdout)
    assert found["intents"]["gas_saved_of_day"] == saved
    [line] = [row for row in otc("status", **settings).stdout.splitlines() if "saved by" in row]
    assert f"{saved:,} gas in 24 hours" in line


def test_of_a_running_stack(otc: Otc, settings: Settings, tmp_path: Path) -> None:
    running.write(tmp_path, settings)
    assert (tmp_path / running.FILE).stat().st_mode & 0o777 == 0o600
    assert otc("status", "--data-dir", tmp_path).exit_code == 0
    running.remove(tmp_path)
    cannot_tell(otc("status", "--data-dir", tmp_path), "no stack runs")
