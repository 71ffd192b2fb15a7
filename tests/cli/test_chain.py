"""`otc chain`: the operator's halt and resume, and what is shown before."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text

from coordinator.db.session import transaction
from tests.cli.command import Otc, refused
from tests.cli.operator import SECRET, Settings
from tests.findings.world import LiveWorld

WHY = ("--why", "the node is replaced")
OTHER_HASH = "0x" + "ab" * 32


@pytest.fixture
def chain(otc: Otc, live: LiveWorld, settings: Settings) -> Otc:
    """`otc chain VERB ...` on the live world's chain."""
    live.mine()
    number = str(live.platform.domain.chain_id)

    def run(verb: str, *options: object, **changes: str) -> object:
        return otc("chain", verb, "--chain", number, *options, **{**settings, **changes})

    return run  # type: ignore[return-value]


@pytest.mark.parametrize("verb", ["halt", "resume"])
def test_another_chain_than_this_coordinators(
    otc: Otc, live: LiveWorld, settings: Settings, verb: str
) -> None:
    refused(otc("chain", verb, "--chain", 1, *WHY, **settings), "is on chain 31337, not 1")
    assert live.cursor().halted is None


def test_a_chain_that_is_not_halted(chain: Otc) -> None:
    refused(chain("resume", *WHY, "--yes"), "chain 31337 is not halted")


def test_a_halt_without_a_reason(chain: Otc, live: LiveWorld) -> None:
    refused(chain("halt", "--why", " "), "say why")
    assert live.cursor().halted is None


def test_nobody_agreed(chain: Otc, live: LiveWorld) -> None:
    assert chain("halt", "--why", "odd").exit_code == 0
    result = chain("resume", *WHY, "--json")
    assert result.exit_code == 1
    assert "nobody answered, so nothing was done" in result.stderr
    assert live.cursor().halted == "odd"


def rewrite(world: LiveWorld) -> dict[str, str]:
    """Another history than the books'."""
    with transaction(world.engine) as session:
        statement = text("update chain_cursors set final_hash = :hash")
        session.connection().execute(statement, {"hash": OTHER_HASH})
    return {}


def lag(world: LiveWorld) -> dict[str, str]:
    with transaction(world.engine) as session:
        session.connection().execute(text("update chain_cursors set final_number = 1000000"))
    return {}


def end_a_node(world: LiveWorld) -> dict[str, str]:
    return {"OTC_MORE_RPC_URLS": json.dumps([f"http://127.0.0.1:1/{SECRET}"])}


@pytest.mark.parametrize(
    ("harm", "word"),
    [(rewrite, "it says 0x"), (lag, "has not come to block 1000000"), (end_a_node, "node failed")],
)
def test_not_while_a_node_contradicts_the_books(
    chain: Otc, live: LiveWorld, harm: Callable[[LiveWorld], dict[str, str]], word: str
) -> None:
    chain("halt", "--why", "odd")
    changes = harm(live)
    result = chain("resume", *WHY, "--yes", "--json", **changes)
    refused(result, "does not confirm the newest final block", word)
    shown = json.loads(chain("show", "--json", **changes).stdout)
    assert [node["same"] for node in shown["nodes"]][-1] is False
    assert SECRET not in result.output
    assert live.cursor().halted == "odd"


def test_halted_and_resumed(chain: Otc, live: LiveWorld) -> None:
    assert chain("halt", "--why", "odd").exit_code == 0
    shown = json.loads(chain("show", "--json").stdout)
    assert (shown["halted"], shown["nodes"][0]["same"]) == ("odd", True)
    result = chain("resume", *WHY, "--yes")
    assert result.exit_code == 0, result.output
    assert live.cursor().halted is None
    live.mine()
    history = json.loads(chain("show", "--json").stdout)["history"]
    assert [(row["event"], row["reason"]) for row in history] == [
        ("resumed", WHY[1]), ("halted", "odd"),
    ]  # fmt: skip
    assert chain("show").exit_code == 0
