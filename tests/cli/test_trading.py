"""Trading from the command line, against a whole stack: each person has their own key alone."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from otc_sdk.chain import connect
from otc_sdk.client import Client
from otc_sdk.errors import LogError, TermsError
from otc_sdk.order import Order
from otc_sdk.order_log import require_whole
from otc_sdk.terms import EscrowDomain
from typer.testing import CliRunner, Result
from web3 import Web3

from coordinator.cli import app
from tests.cli.command import refused
from tests.cli.desk import WAIT_SECONDS, Desk, Person, running_desk
from tests.cli.proxy import proxy

pytestmark = pytest.mark.xdist_group("trading")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sdk.md"
UNIT = 10**6
Json = Any


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture
def seller(desk: Desk) -> Person:
    return desk.person("seller")


@pytest.fixture
def buyer(desk: Desk) -> Person:
    return desk.person("buyer")


@pytest.fixture
def arbitrator(desk: Desk) -> Person:
    return desk.person("arbitrator")


def post_ad(seller: Person) -> int:
    ad = seller("ad", "post", "--side", "sell", "--fiat", "EUR", "--price", "0.93", "--amount",
                "100", "--min", "1", "--max", "93", "--method", "sepa",
                "--instructions", "To \x1b[31mme")  # fmt: skip
    return int(ad["id"])


def taken(seller: Person, buyer: Person, *more: str) -> str:
    """A new order on an ad of its own, signed by the buyer."""
    order = buyer("order", "take", "--side", "buy", "--fiat", "EUR", "--method", "sepa",
                  "--amount", "12.5", "--ad", post_ad(seller), "--yes", *more)  # fmt: skip
    return str(order["id"])


def funded(seller: Person, buyer: Person) -> str:
    order = taken(seller, buyer)
    seller("sign", "terms", order, "--yes")
    seller("order", "fund", order, "--yes")
    buyer.sees(order, "awaiting_payment")
    return order


def paid(seller: Person, buyer: Person) -> str:
    order = funded(seller, buyer)
    buyer("order", "paid", order, "--reference", "INV-1", "--yes")
    return order


def test_ad_to_release(desk: Desk, seller: Person, buyer: Person) -> None:
    before = desk.balance(buyer.address), desk.balance(seller.address)
    order = paid(seller, buyer)
    refused(seller.run("sign", "release", order[2:12], "--yes"), "whole id")
    assert seller("order", "show", order[2:12])["id"] == order
    signed = seller("sign", "release", order, "--yes")
    assert signed["signed_by"] == ["seller"]
    assert ["coordinator"] in signed["missing"]
    done = buyer.wait_for(order, lambda o: o["status"] == "completed")
    assert done["next_step"] == "nothing: the order is completed"
    assert desk.balance(buyer.address) - before[0] == 12_437_500
    assert before[1] - desk.balance(seller.address) == 12_500_000
    shown = buyer.run("order", "show", order, "--log").stdout
    for words in ("12.5 USDT", "11.63 EUR by sepa", "their chain of hashes is whole", "(you)"):
        assert words in shown
    assert "\x1b[31m" not in shown
    assert order[:12] in buyer.run("order", "list").stdout


def test_dispute_ruling_and_countersignature(
    desk: Desk, seller: Person, buyer: Person, arbitrator: Person
) -> None:
    order = paid(seller, buyer)
    before = desk.balance(buyer.address)
    seller("dispute", order, "--reason", "half arrived", "--yes")
    shown = arbitrator.sees(order, "disputed")
    assert "otc rule" in shown["next_step"]
    ruled = arbitrator("rule", order, "--to-buyer", "5", "--yes")
    number = ruled["settlement"]
    step = buyer("order", "show", order)["next_step"]
    assert f"otc sign split {order[:12]} --counter {number}" in step
    refused(buyer.run("sign", "release", order, "--counter", number, "--yes"), "another one")
    refused(buyer.run("sign", "split", order, "--counter", 999, "--yes"), "no settlement 999")
    buyer("sign", "split", order, "--counter", number, "--yes")
    buyer.sees(order, "completed")
    assert desk.balance(buyer.address) - before == 4_975_000


def test_offline_signature_settles_without_a_coordinator(
    desk: Desk, seller: Person, buyer: Person, tmp_path: Path
) -> None:
    order = funded(seller, buyer)
    saved, signed = tmp_path / "order.json", tmp_path / "seller.json"
    saved.write_text(json.dumps(seller("order", "show", order)))
    dead = {"OTC_API": "http://127.0.0.1:1", "OTC_RPC_URL": "http://127.0.0.1:1"}
    result = seller.run("sign", "split", "--offline", saved, "--to-buyer", "2", "--yes", "--json",
                        **dead)  # fmt: skip
    assert result.exit_code == 0, result.output
    signed.write_text(result.stdout)
    result = buyer.run(
        "settle", "--offline", saved, "--signed", signed, "--yes", OTC_API=dead["OTC_API"]
    )
    assert result.exit_code == 0, result.output
    buyer.sees(order, "completed")


def test_dispute_on_chain_and_a_cold_ruling(
    desk: Desk, seller: Person, buyer: Person, arbitrator: Person, tmp_path: Path
) -> None:
    """Nothing of this needs a coordinator: the file, two keys and a node."""
    order = funded(seller, buyer)
    saved, ruling = tmp_path / "order.json", tmp_path / "ruling.json"
    saved.write_text(json.dumps(buyer("order", "show", order)))
    alone = ("--offline", saved, "--yes", "--api", "http://127.0.0.1:1")
    assert buyer("dispute", *alone, "--on-chain")["by"] == "buyer"
    refused(buyer.run("dispute", *alone, "--on-chain"), "AlreadyDisputed")
    ruling.write_text(json.dumps(arbitrator("rule", *alone, "--to-buyer", "none")))
    before = desk.balance(seller.address)
    refused(arbitrator.run("settle", *alone, "--signed", ruling), "NotAllowed")
    seller("settle", *alone, "--signed", ruling)
    assert desk.balance(seller.address) - before == 12_500_000


@pytest.fixture(scope="session")
def papers(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An order's file, and the seller's signature of its refund."""
    seller, folder = desk.person("seller"), tmp_path_factory.mktemp("papers")
    found = {name: folder / f"{name}.json" for name in ("order", "signed")}
    order = seller("order", "show", taken(seller, desk.person("buyer")))
    found["order"].write_text(json.dumps(order))
    alone = ("--offline", found["order"], "--yes")
    found["signed"].write_text(json.dumps(seller("sign", "refund", *alone)))
    return found


@pytest.mark.parametrize(
    ("who", "command"),
    [
        ("buyer", ("settle", "--signed", "SIGNED")),
        ("buyer", ("claim",)),
        ("buyer", ("sweep",)),
        ("buyer", ("dispute", "--on-chain")),
        ("seller", ("refund", "request")),
        ("seller", ("refund", "take")),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else value,
)
@pytest.mark.parametrize(
    ("code", "words"), [("0x", "no code at"), ("0x00", "is not this build's escrow")]
)
def test_nothing_is_sent_to_another_contract(
    desk: Desk, papers: dict[str, Path], who: str, command: tuple[str, ...], code: str, words: str
) -> None:
    """Found: whatever lay at the escrow of the order's file was sent a transaction."""
    escrow = Order.load(papers["order"].read_text()).domain.escrow
    asked = []

    def foreign(request: Json, answer: Json) -> tuple[int, str]:
        asked.append(request["method"])
        if request["method"] == "eth_getCode" and request["params"][0] == escrow:
            answer["result"] = code
        return 200, json.dumps(answer)

    given = [papers["signed"] if word == "SIGNED" else word for word in command]
    with proxy(desk.rpc, foreign) as url:
        alone = ("--offline", papers["order"], "--rpc-url", url, "--api", "http://127.0.0.1:1")
        refused(desk.person(who).run(*given, *alone), words, escrow)
    assert not {"eth_estimateGas", "eth_sendRawTransaction"} & set(asked)


def test_our_code_at_another_address(desk: Desk, papers: dict[str, Path], tmp_path: Path) -> None:
    """Its immutables could be anything."""
    order, w3 = Order.load(papers["order"].read_text()), connect(desk.rpc)
    code = w3.eth.get_code(Web3.to_checksum_address(order.domain.escrow))
    copy = Account.create().address
    w3.provider.make_request("anvil_setCode", [copy, code.to_0x_hex()])  # type: ignore[arg-type]
    moved = replace(order, domain=EscrowDomain(order.domain.chain_id, copy))
    facts = {
        **order.facts,
        "id": moved.id,
        "escrow": order.facts["escrow"] | {"vault": moved.vault},
    }
    saved = tmp_path / "moved.json"
    saved.write_text(json.dumps(replace(moved, facts=facts).saved()))
    alone = ("--offline", saved, "--api", "http://127.0.0.1:1")
    refused(desk.person("seller").run("sweep", *alone), copy, "is not this build's escrow")


def test_rewritten_log_is_noticed(desk: Desk, seller: Person, buyer: Person) -> None:
    order = taken(seller, buyer)
    log = buyer("order", "show", order, "--log")["log"]
    last = require_whole(log, order)
    assert require_whole(log, order, log[0]["hash"]) == last
    for broken in (
        [log[0] | {"reason": "another"}, *log[1:]],
        log[1:],
        log[::-1],
        [log[0], *log],
    ):
        with pytest.raises(LogError, match="breaks at entry"):
            require_whole(broken, order)
    with pytest.raises(LogError, match="rewritten"):
        require_whole(log[:-1], order, last)


def test_tampered_order_is_not_signed(seller: Person, buyer: Person, tmp_path: Path) -> None:
    order = seller("order", "show", taken(seller, buyer))
    changes: list[tuple[Callable[[Json], Any], str]] = [
        (lambda o: o["terms"].update(buyer=seller.address), "does not follow from the terms"),
        (lambda o: o["terms"].update(amount_units="1"), "does not follow from the terms"),
        (lambda o: o["escrow"].update(vault=seller.address), "vault's address does not follow"),
        (lambda o: o.update(amount_units="1"), "the amounts differ"),
        (lambda o: o["platform"].update(chain_id=1), "does not follow from the terms"),
        (lambda o: o.pop("platform"), "lacks `platform`"),
        (lambda o: o.pop("escrow"), "not an order"),
        (lambda o: o["terms"].pop("salt"), "wrong members"),
    ]
    for change, words in changes:
        copy = json.loads(json.dumps(order))
        change(copy)
        path = tmp_path / "tampered.json"
        path.write_text(json.dumps(copy))
        refused(seller.run("sign", "release", "--offline", path, "--yes"), words)


def test_files_that_are_no_order(seller: Person, tmp_path: Path) -> None:
    path = tmp_path / "x"
    refused(seller.run("sign", "release", "--offline", path, "--yes"), "cannot read")
    path.write_text("[1")
    refused(seller.run("sign", "release", "--offline", path, "--yes"), "not the JSON of an order")
    path.write_bytes(b"\xff\xfe")
    refused(seller.run("sign", "release", "--offline", path, "--yes"), "cannot read")
    refused(seller.run("sign", "release", "--yes"), "name one order")


def test_amounts(seller: Person, buyer: Person) -> None:
    order = taken(seller, buyer)
    split = ("sign", "split", order, "--yes", "--to-buyer")
    refused(buyer.run(*split, "12.500001"), "more than the order's amount, 12.5 USDT")
    refused(buyer.run(*split, "1.0000001"), "more than 6 decimals")
    for text in ("1e3", "1,5", "NaN", ".5", ""):
        refused(buyer.run(*split, text), "is not an amount")
    refused(buyer.run("sign", "split", order, "--yes"), "--to-buyer")


def test_roles(seller: Person, buyer: Person, arbitrator: Person) -> None:
    order = taken(seller, buyer)
    refused(seller.run("rule", order, "--to-buyer", "all", "--yes"), "you are the seller")
    refused(arbitrator.run("sign", "release", order, "--yes"), "use otc rule")
    refused(buyer.run("refund", "request", order, "--yes"), "only the seller")
    refused(buyer.run("order", "fund", order, "--yes"), "only the seller")
    refused(seller.run("order", "fund", order, "--yes"), "both traders must sign")
    refused(arbitrator.run("dispute", order, "--on-chain", "--yes"), "you are the arbitrator")
    refused(seller.run("order", "paid", order, "--reference", "x", "--yes"), "not_the_buyer")
    refused(buyer.run("dispute", order, "--reason", "x", "--yes"), "not_funded")


def test_orders_of_others(desk: Desk, seller: Person, buyer: Person, tmp_path: Path) -> None:
    order = taken(seller, buyer)
    stranger = {"OTC_PRIVATE_KEY": Account.create().key.hex(), **desk.environment()}
    runner = CliRunner()
    refused(runner.invoke(app, ["order", "show", order], env=stranger), "not_your_order")
    refused(runner.invoke(app, ["order", "show", order[:10]], env=stranger), "no order of")
    refused(buyer.run("order", "show", "0x" + "ab" * 32), "no_such_order")
    refused(buyer.run("order", "show", "0xab"), "6 or more hex digits")


def test_ambiguous_prefix(desk: Desk, buyer: Person) -> None:
    class Twins(Client):
        def orders(self, limit: int = 50) -> list[Json]:
            return [{"id": "0xabcdef" + end * 58} for end in "12"][:limit]

    with Twins(desk.api, Account.create()) as client:
        with pytest.raises(TermsError, match="2 orders begin with 0xabcdef"):
            client.resolve("ABCDEF")
        assert client.resolve("abcdef1") == "0xabcdef" + "1" * 58


def test_unlocking_and_reaching(desk: Desk, seller: Person, tmp_path: Path) -> None:
    refused(seller.run("order", "list", OTC_KEYSTORE_PASSWORD="wrong"), "wrong password")
    refused(seller.run("order", "list", OTC_API="http://127.0.0.1:1"), "unreachable")
    refused(seller.run("order", "list", OTC_API=desk.rpc), "not as an API")
    refused(seller.run("order", "list", OTC_API="nonsense"), "unreachable")


def test_saying_no_calls_the_order_off(seller: Person, buyer: Person) -> None:
    take = ("order", "take", "--side", "buy", "--fiat", "EUR", "--method", "sepa",
            "--amount", "12.5", "--ad", post_ad(seller))  # fmt: skip
    for answer, words in (("n\n", "you said no"), ("", "--yes")):
        result = buyer.run(*take, input=answer)
        refused_at_prompt(result, words)
        assert "ruling window" in result.stderr
        assert buyer("order", "list")[0]["status"] == "cancelled"


def refused_at_prompt(result: Result, words: str) -> None:
    assert result.exit_code == 1
    assert words in result.stderr.splitlines()[-1]


def test_ads(desk: Desk, seller: Person) -> None:
    number = post_ad(seller)
    listed = CliRunner().invoke(
        app, ["ad", "list", "--side", "sell", "--fiat", "EUR"], env=desk.environment()
    )
    assert "100 USDT" in listed.stdout
    assert seller("ad", "close", number)["status"] == "closed"
    refused(desk.person("buyer").run("ad", "close", number), "(")


def test_the_guides_program(desk: Desk, seller: Person, buyer: Person, tmp_path: Path) -> None:
    """docs/sdk.md, run as it stands."""
    found = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert found is not None
    program = tmp_path / "merchant.py"
    program.write_text(found[1])
    seller("order", "list")  # remembers the platform
    environ = {
        **desk.environment(),
        "OTC_KEYSTORE": str(seller.keystore),
        "PATH": os.environ["PATH"],
        **{k: v for k, v in os.environ.items() if k == "PYTHONPATH"},
    }
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environ,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ad = process.stdout.readline().split()[-1]
        order = buyer("order", "take", "--side", "buy", "--fiat", "EUR", "--method", "sepa",
                      "--fiat-amount", "9.30", "--ad", ad, "--yes")["id"]  # fmt: skip
        buyer.sees(order, "awaiting_payment")
        buyer("order", "paid", order, "--reference", "INV-1001", "--yes")
        out, err = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 0, err
        assert f"released {order}" in out
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_z_refund_by_time_from_a_file(
    desk: Desk, seller: Person, buyer: Person, tmp_path: Path
) -> None:
    """Last: it moves the chain's clock."""
    order = funded(seller, buyer)
    saved = tmp_path / "order.json"
    saved.write_text(json.dumps(seller("order", "show", order)))
    before = desk.balance(seller.address)
    alone = ("--offline", saved, "--yes", "--api", "http://127.0.0.1:1")
    refused(seller.run("refund", "request", *alone), "too early: the buyer may pay until")
    refused(seller.run("refund", "take", *alone), "there was no request")
    move_clock(desk, 2 * 900 + 10)
    assert "otc refund take from" in seller("refund", "request", *alone)["next"]
    refused(seller.run("refund", "request", *alone), "requested already")
    refused(seller.run("refund", "take", *alone), "too early")
    move_clock(desk, 3600)
    seller("refund", "take", *alone)
    assert desk.balance(seller.address) - before == 12_500_000
    refused(seller.run("refund", "take", *alone), "AlreadySettled")
    seller.sees(order, "cancelled")
    refused(seller.run("sweep", order, "--yes"), "NothingToSweep")
    refused(seller.run("claim", order, "--yes"), "NoClaim")


def move_clock(desk: Desk, seconds: int) -> None:
    w3 = connect(desk.rpc)
    w3.provider.make_request("evm_increaseTime", [hex(seconds)])  # type: ignore[arg-type]
    w3.provider.make_request("evm_mine", [])  # type: ignore[arg-type]
