"""`otc deploy` and `otc verify` against a real chain."""

import json
import subprocess
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from otc_sdk import deployment
from otc_sdk.artifacts import load
from otc_sdk.deployment import (
    CREATE2_DEPLOYER,
    CREATE2_DEPLOYER_CODE,
    NETWORKS,
    SCHEMA,
    escrow_address,
)

from tests.cli.command import OTC, Otc, refused
from tests.cli.node import RICH_KEY, ROOT, Node, running
from tests.cli.proxy import proxy

RICH = Account.from_key(RICH_KEY).address
POOR_KEY = "0x" + "77" * 32
POOR = Account.from_key(POOR_KEY).address
FILE = Path("deployments/local.json")


def deploy(otc: Otc, url: str, *arguments: object, **env: str) -> Any:
    """`otc deploy --network local` as the rich account; the JSON of its result."""
    environ = {"OTC_PRIVATE_KEY": RICH_KEY, **env}
    result = otc("deploy", "--network", "local", "--rpc-url", url, "--json", *arguments, **environ)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refuse(otc: Otc, chain: Node, *words: str, key: str = RICH_KEY, **env: str) -> None:
    """`otc deploy` fails with these words, having sent and written nothing."""
    before = chain.sent_by(RICH), FILE.exists() and FILE.read_text()
    arguments = ("deploy", "--network", "local", "--rpc-url", chain.url)
    refused(otc(*arguments, OTC_PRIVATE_KEY=key, **env), *words)
    assert (chain.sent_by(RICH), FILE.exists() and FILE.read_text()) == before


# Refused without a node.


def test_unknown_network_lists_the_known_ones(otc: Otc) -> None:
    refused(otc("deploy", "--network", "sepolis"), "unknown network 'sepolis'", *NETWORKS)


def test_other_network_without_a_chain_id(otc: Otc) -> None:
    result = otc("deploy", "--network", "my-chain", "--rpc-url", "http://127.0.0.1:1")
    refused(result, "--chain-id")


def test_other_network_without_a_node(otc: Otc) -> None:
    result = otc("deploy", "--network", "my-chain", "--chain-id", 5)
    refused(result, "--rpc-url", "OTC_RPC_URL_MY_CHAIN")


@pytest.mark.parametrize("name", ["../local", "Local", "", "a" * 41, "local\n"])
def test_network_name_that_is_no_file_name(otc: Otc, name: str) -> None:
    result = otc("deploy", "--network", name, "--chain-id", 5, "--rpc-url", "http://127.0.0.1:1")
    refused(result, "malformed network name")


def test_chain_id_that_is_not_the_networks(otc: Otc) -> None:
    result = otc("deploy", "--network", "sepolia", "--chain-id", 5)
    refused(result, "sepolia is chain 11155111, not 5")


def test_node_down(otc: Otc) -> None:
    result = otc("deploy", "--network", "local", "--rpc-url", "http://127.0.0.1:1")
    refused(result, "no node answers at http://127.0.0.1:1")


def test_help_names_every_network_and_the_variables(otc: Otc) -> None:
    text = otc("deploy", "--help", COLUMNS="200").stdout
    for word in (*NETWORKS, "OTC_RPC_URL_", "OTC_KEYSTORE", "OTC_PRIVATE_KEY", "Examples"):
        assert word in text


# Refused after a look at the chain.


def test_node_on_another_chain(otc: Otc, chain: Node) -> None:
    result = otc("deploy", "--network", "sepolia", OTC_RPC_URL_SEPOLIA=chain.url)
    refused(result, "on chain 31337, not 11155111")


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>busy</html>"), (503, "{}"), (200, "{}"), (200, "[]")]
)
def test_node_that_talks_nonsense(otc: Otc, chain: Node, status: int, body: str) -> None:
    with proxy(chain.url, lambda *_: (status, body)) as url:
        refused(otc("deploy", "--network", "local", "--rpc-url", url), "node")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("0x", "has no CREATE2 deployer at"),
        ("0x00", "is not the CREATE2 deployer's"),  # takes everything and does nothing
        ("0x" + CREATE2_DEPLOYER_CODE.hex() + "00", "is not the CREATE2 deployer's"),
    ],
)
def test_no_create2_deployer(otc: Otc, chain: Node, code: str, words: str) -> None:
    """Found: with other code there the transaction was sent, and made nothing."""
    chain.rpc("anvil_setCode", CREATE2_DEPLOYER, code)
    refuse(otc, chain, words, CREATE2_DEPLOYER)
    dry = otc("deploy", "--network", "local", "--rpc-url", chain.url, "--dry-run")
    refused(dry, words, CREATE2_DEPLOYER)


def test_create2_deployer_is_the_one_that_chains_have(chain: Node) -> None:
    assert chain.rpc("eth_getCode", CREATE2_DEPLOYER, "latest") == (
        "0x" + CREATE2_DEPLOYER_CODE.hex()
    )


@pytest.mark.parametrize("hardfork", ["paris", "shanghai"])
def test_chain_that_could_not_settle(otc: Otc, hardfork: str) -> None:
    with running("--hardfork", hardfork) as chain:
        refuse(otc, chain, "needs Cancun opcodes")


def test_chain_that_could_not_settle_though_somebody_deployed(otc: Otc) -> None:
    """Found: where a stranger had deployed it, it was taken for deployed."""
    with running("--hardfork", "shanghai") as chain:
        stranger = chain.funded_account("stranger")
        chain.send(stranger, CREATE2_DEPLOYER, deployment.SALT + deployment.init_code())
        refuse(otc, chain, "needs Cancun opcodes")


def test_unfunded_account(otc: Otc, chain: Node) -> None:
    refuse(otc, chain, f"{POOR} holds 0 coins", "takes up to 0.0", key=POOR_KEY)


def test_account_short_of_the_gas_limit(otc: Otc, chain: Node) -> None:
    cost = deploy(otc, chain.url, "--dry-run")["cost_wei"]
    chain.rpc("anvil_setBalance", POOR, hex(int(cost) - 1))
    refuse(otc, chain, f"{POOR} holds", key=POOR_KEY)


def test_foreign_code_at_the_address(otc: Otc, chain: Node) -> None:
    chain.rpc("anvil_setCode", escrow_address(), "0x600160005260206000f3")
    refuse(otc, chain, f"the code at {escrow_address()} is not this build's escrow")


def test_no_account(otc: Otc, chain: Node) -> None:
    refuse(otc, chain, "no account", key="")


def test_folder_that_is_a_file(otc: Otc, chain: Node) -> None:
    Path("deployments").write_text("in the way")
    refuse(otc, chain, "cannot make the folder deployments")


def test_damaged_deployment_file(otc: Otc, chain: Node) -> None:
    FILE.parent.mkdir()
    FILE.write_text("{}")
    refuse(otc, chain, f"{FILE}: $ 'chain' is a required property")
    FILE.write_text("{")
    refuse(otc, chain, f"{FILE} is not JSON")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain_id": 5}, "is of chain 5, not 31337"),
        ({"chain": "sepolia"}, "is of the chain sepolia"),
        ({"escrow": "0x" + "11" * 20}, "another build's escrow"),
    ],
)
def test_file_of_another_deployment(
    otc: Otc, chain: Node, change: dict[str, Any], words: str
) -> None:
    deploy(otc, chain.url)
    edit(change)
    refuse(otc, chain, str(FILE), words)


def edit(change: dict[str, Any]) -> None:
    FILE.write_text(json.dumps({**json.loads(FILE.read_text()), **change}))


# Deploying.


def test_dry_run_sends_and_writes_nothing(otc: Otc, chain: Node) -> None:
    quoted = deploy(otc, chain.url, "--dry-run")
    assert quoted["escrow"] == escrow_address()
    assert quoted["account"] == RICH
    assert (quoted["funds_wei"], quoted["enough"]) == (str(10_000 * 10**18), True)
    assert int(quoted["cost_wei"]) == quoted["gas_limit"] * int(quoted["gas_price_wei"])
    assert not deploy(otc, chain.url, "--dry-run", OTC_PRIVATE_KEY=POOR_KEY)["enough"]
    assert deploy(otc, chain.url, "--dry-run", OTC_PRIVATE_KEY="")["account"] is None
    assert chain.w3.eth.block_number == 0
    assert not FILE.exists()


def test_deploy_again_sends_nothing_and_needs_no_key(otc: Otc, chain: Node) -> None:
    first = deploy(otc, chain.url)
    assert first["status"] == "deployed"
    written = FILE.read_text()

    again = deploy(otc, chain.url, OTC_PRIVATE_KEY="")
    assert again == {**first, "status": "already deployed"}
    assert (chain.sent_by(RICH), FILE.read_text()) == (1, written)


def test_anyone_deploys_to_the_same_address(otc: Otc, chain: Node) -> None:
    first = deploy(otc, chain.url)
    with running() as second:
        second.rpc("anvil_setBalance", POOR, hex(10**18))
        other = deploy(otc, second.url, OTC_PRIVATE_KEY=POOR_KEY)
    assert (other["status"], other["escrow"]) == ("deployed", first["escrow"])


def test_written_file(otc: Otc, chain: Node) -> None:
    result = deploy(otc, chain.url)
    read = deployment.read(FILE.parent, "local")
    assert {**asdict(read), "status": "deployed", "file": str(FILE)} == result
    assert read.escrow == escrow_address()
    assert chain.w3.eth.get_transaction_receipt(result["transaction"])["status"] == 1
    assert list(FILE.parent.iterdir()) == [FILE]


def test_cost_is_not_below_what_was_paid(otc: Otc, chain: Node) -> None:
    quoted = deploy(otc, chain.url, "--dry-run")
    chain.rpc("anvil_setBalance", POOR, hex(int(quoted["cost_wei"])))
    deploy(otc, chain.url, OTC_PRIVATE_KEY=POOR_KEY)
    assert chain.w3.eth.get_balance(POOR) > 0


def test_stale_file_of_a_chain_that_began_anew(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    edit({"transaction": "0x" + "00" * 32, "block": 1000})
    with running() as second:
        result = deploy(otc, second.url)
        assert result["status"] == "deployed"
        assert deployment.read(FILE.parent, "local").transaction == result["transaction"]


def test_replace_an_older_builds_record(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    edit({"escrow": "0x" + "11" * 20})
    assert deploy(otc, chain.url, "--replace")["escrow"] == escrow_address()
    assert deployment.read(FILE.parent, "local").escrow == escrow_address()


def test_network_that_is_not_built_in(otc: Otc, tmp_path: Path) -> None:
    with running("--chain-id", "4242") as chain:
        env = {"OTC_RPC_URL_MY_CHAIN": chain.url, "OTC_PRIVATE_KEY": RICH_KEY}
        named = ("--network", "my-chain", "--deployments", tmp_path / "mine")
        result = otc("deploy", *named, "--chain-id", 4242, **env)
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("my-chain: deployed\n")
        assert otc("verify", *named, **env).exit_code == 0
        assert deployment.read(tmp_path / "mine", "my-chain").chain_id == 4242


def test_chain_whose_blocks_carry_extra_data(otc: Otc, chain: Node) -> None:
    def long_extra_data(_: Any, answer: dict[str, Any]) -> tuple[int, str]:
        if "extraData" in (answer.get("result") or ()):
            answer["result"]["extraData"] = "0x" + "00" * 97
        return 200, json.dumps(answer)

    with proxy(chain.url, long_extra_data) as url:
        assert deploy(otc, url)["status"] == "deployed"


# The block that a watcher starts from.


def test_block_of_an_old_deployment_is_found(otc: Otc, chain: Node) -> None:
    chain.rpc("anvil_mine", hex(50))
    deploy(otc, chain.url)
    FILE.unlink()
    chain.rpc("anvil_mine", hex(300))
    found = deploy(otc, chain.url)
    assert (found["status"], found["transaction"], found["block"]) == ("already deployed", None, 51)


def test_block_of_a_fresh_deployment_is_final(otc: Otc, chain: Node) -> None:
    chain.rpc("anvil_mine", hex(300))
    block = deploy(otc, chain.url)["block"]
    assert 0 < block <= chain.w3.eth.get_block("finalized")["number"] < 301


def test_block_too_late_in_the_file_is_corrected(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    chain.rpc("anvil_mine", hex(300))
    edit({"block": 250})
    assert deploy(otc, chain.url)["block"] == 1
    assert deployment.read(FILE.parent, "local").block == 1


def without_state_before(block: int, status: int) -> Any:
    """A pruned node: asked for the code at an older block it fails, each in its own way."""

    def change(request: dict[str, Any], answer: dict[str, Any]) -> tuple[int, str]:
        at = request["params"][1] if request["method"] == "eth_getCode" else "latest"
        if at == "latest" or int(at, 16) >= block:
            return 200, json.dumps(answer)
        error = {"code": -32000, "message": "missing trie node"}
        return status, json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error})

    return change


def test_block_on_a_pruned_node(otc: Otc, chain: Node) -> None:
    chain.rpc("anvil_mine", hex(1000))
    deploy(otc, chain.url)
    FILE.unlink()
    chain.rpc("anvil_mine", hex(100))
    with proxy(chain.url, without_state_before(974, 200)) as url:
        assert deploy(otc, url)["block"] == 1001  # young enough: the node still has its state


@pytest.mark.parametrize("status", [200, 403])
def test_block_that_a_pruned_node_forgot(otc: Otc, chain: Node, status: int) -> None:
    chain.rpc("anvil_mine", hex(100))
    known = deploy(otc, chain.url)
    chain.rpc("anvil_mine", hex(500))
    with proxy(chain.url, without_state_before(474, status)) as url:
        assert deploy(otc, url) == {**known, "status": "already deployed"}
        FILE.unlink()
        assert deploy(otc, url)["block"] == 0  # slow, and never too late


# Interruption.


def start(chain: Node) -> "subprocess.Popen[str]":
    """The real command, deploying."""
    return subprocess.Popen(  # noqa: S603
        [OTC, "deploy", "--network", "local", "--rpc-url", chain.url],
        env={"OTC_PRIVATE_KEY": RICH_KEY, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_deployment_is_found_by_the_next(otc: Otc, chain: Node) -> None:
    chain.rpc("evm_setAutomine", False)
    with start(chain) as process:
        deadline = time.monotonic() + 60
        while chain.rpc("txpool_status")["pending"] == "0x0":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
        process.communicate()
    assert not FILE.exists()

    refuse(otc, chain, f"{RICH} has 1 unmined transactions")
    chain.rpc("evm_mine")
    assert deploy(otc, chain.url)["status"] == "already deployed"
    assert chain.sent_by(RICH) == 1


def test_real_command_end_to_end(chain: Node) -> None:
    process = start(chain)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert output.startswith("local: deployed\n")
    assert escrow_address() in output
    assert RICH_KEY[2:] not in output + errors


# Verifying.


def verify(otc: Otc, chain: Node) -> Any:
    return otc("verify", "--network", "local", "--rpc-url", chain.url)


def test_verify_without_a_deployment(otc: Otc, chain: Node) -> None:
    refused(verify(otc, chain), f"{FILE} is missing", "otc deploy")


def test_verify_finds_no_code(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    chain.rpc("anvil_setCode", escrow_address(), "0x")
    refused(verify(otc, chain), f"no code at {escrow_address()}")


def test_verify_finds_other_code(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    code = bytearray(chain.w3.eth.get_code(escrow_address()))  # type: ignore[arg-type]
    code[-1] ^= 1
    chain.rpc("anvil_setCode", escrow_address(), "0x" + code.hex())
    refused(verify(otc, chain), "is not this build's escrow")


def test_verify_finds_another_immutable(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    code = bytearray(chain.w3.eth.get_code(escrow_address()))  # type: ignore[arg-type]
    code[load("Escrow")["immutables"][0]["start"] + 31] ^= 1
    chain.rpc("anvil_setCode", escrow_address(), "0x" + code.hex())
    refused(verify(otc, chain), "another hash")


def test_verify_finds_our_code_elsewhere(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    copy = "0x" + "11" * 20
    chain.rpc("anvil_setCode", copy, chain.w3.eth.get_code(escrow_address()).to_0x_hex())  # type: ignore[arg-type]
    edit({"escrow": copy})
    refused(verify(otc, chain), "is not this build's escrow")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"block": 9999}, "has not reached"),
        ({"block": 250}, "older than"),
        ({"chain_id": 5}, "is of chain 5"),
        ({"code_hash": "0x" + "00" * 32}, "another hash"),
        ({"salt": "0x" + "01" * 32}, "deployer and salt are not this build's"),
        ({"deployer": "0x" + "11" * 20}, "deployer and salt are not this build's"),
        ({"surprise": 1}, "Additional properties"),
        ({"block": "1"}, "$.block"),
    ],
)
def test_verify_finds_a_wrong_record(
    otc: Otc, chain: Node, change: dict[str, Any], words: str
) -> None:
    deploy(otc, chain.url)
    chain.rpc("anvil_mine", hex(300))
    edit(change)
    refused(verify(otc, chain), words)


def test_verify(otc: Otc, chain: Node) -> None:
    deploy(otc, chain.url)
    result = verify(otc, chain)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("local: verified\n")


# The files in deployments/.


def test_schema_file_is_the_sdks() -> None:
    assert json.loads((ROOT / "deployments" / "schema.json").read_text()) == SCHEMA


def test_recorded_deployments_are_valid() -> None:
    for path in (ROOT / "deployments").glob("*.json"):
        if path.name != "schema.json":
            deployment.read(path.parent, path.stem)
