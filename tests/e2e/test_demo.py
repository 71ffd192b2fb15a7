"""`otc demo` as somebody runs it who has just cloned the repository."""

import signal
from typing import Any

import psutil
import pytest

from tests.e2e.processes import Run, demo_result, folder, require_right

MIDDLE = "sees the order awaiting_payment"
pytestmark = pytest.mark.xdist_group("stack")


def facts(result: dict[str, Any]) -> set[str]:
    """Everything of a run that no other run may share."""
    return {
        *(b["address"] for b in result["balances"]),
        *(e["tx_hash"] for e in result["timeline"] if e["tx_hash"]),
        *(o["order_id"] for o in result["orders"]),
        *(o["settled_tx"] for o in result["orders"]),
        result["token"],
    }


def test_five_orders_end_as_they_should_and_no_two_runs_share_a_hash() -> None:
    with folder() as one:
        first = demo_result(one)
        second = demo_result(one)
    for result in (first, second):
        require_right(result)
    assert second["token"] == first["token"], "the second run resumed in the same folder"
    shared = facts(first) & facts(second)
    fees = {b["address"] for b in first["balances"] if b["name"] == "fees"}
    assert shared == {first["token"], *fees}
    with folder() as other:
        third = demo_result(other)
    require_right(third)
    assert not facts(third) & (facts(first) | facts(second))


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("starting anvil", signal.SIGINT),
        ("starting PostgreSQL", signal.SIGINT),
        ("token deployed", signal.SIGINT),
        ("starting api", signal.SIGTERM),
        (MIDDLE, signal.SIGINT),
    ],
    ids=["at once", "during initdb", "while deploying", "workers starting", "in the middle"],
)
def test_an_interrupt_at_any_moment_ends_everything(moment: str, number: signal.Signals) -> None:
    with Run("demo") as run:
        run.await_words(moment)
        assert run.interrupt(number) == 130, run.said()
        assert "Traceback" not in run.said()
        run.require_nothing_left()


def test_a_killed_demo_takes_everything_with_it() -> None:
    with folder() as data_dir:
        with Run("demo", "--data-dir", data_dir) as run:
            run.await_words(MIDDLE)
            names = set(run.names())
            assert {"anvil", "postgres", "api", "cosigner", "watcher", "sender", "keeper"} <= names
            run.interrupt(signal.SIGKILL)
            if psutil.LINUX:  # elsewhere nobody tells a child that its parent was killed
                run.require_nothing_left()
        # What was left behind does not hinder the next start.
        require_right(demo_result(data_dir))
