"""`brownie run deploy`: the same logic and the same file as `otc deploy`, and the same refusals."""

import json
from dataclasses import replace

import pytest
from brownie import network, web3
from otc_sdk import deployment
from otc_sdk.chain import Wallet
from otc_sdk.keystore import from_key

from scripts import deploy as script
from scripts import verify

KEY = "0x" + "42" * 32
PAYER = from_key(KEY).address


@pytest.fixture(autouse=True)
def isolation(fn_isolation):
    """Brownie's own: undo the test's blocks."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the script writes the deployment down."""
    monkeypatch.setattr(script, "DEPLOYMENTS", tmp_path)
    return tmp_path


@pytest.fixture
def sepolia(monkeypatch):
    """Brownie says that it is on sepolia, and the node of that name is the development chain."""
    monkeypatch.setattr(network, "show_active", lambda: "sepolia")
    monkeypatch.setenv("OTC_RPC_URL_SEPOLIA", web3.provider.endpoint_uri)


@pytest.fixture
def on_this_chain(monkeypatch):
    """As if sepolia's chain id were the development chain's."""
    here = deployment.Network("sepolia", web3.eth.chain_id, web3.provider.endpoint_uri)
    monkeypatch.setattr(script, "find_network", lambda _: here)


@pytest.fixture
def funded(monkeypatch):
    """A payer with a key and coins."""
    monkeypatch.setenv("OTC_PRIVATE_KEY", KEY)
    rpc("anvil_setBalance", PAYER, hex(10**18))


@pytest.fixture
def set_code():
    """Puts code at addresses, until the test ends."""
    before = {}

    def change(place, code):
        before.setdefault(place, rpc("eth_getCode", place, "latest"))
        rpc("anvil_setCode", place, code)

    yield change
    for place, code in before.items():
        rpc("anvil_setCode", place, code)


def rpc(method, *params):
    answer = web3.provider.make_request(method, list(params))
    assert "error" not in answer, answer
    return answer["result"]


def test_it_deploys_and_writes_the_file(folder):
    script.main()

    written = deployment.read(folder, "development")
    assert written.escrow == deployment.escrow_address()
    deployment.verify(deployment.open_node(script.active_network()), written)


def test_verify_compares_the_file_with_the_chain(folder, capsys):
    with pytest.raises(SystemExit, match="no deployment on development"):
        verify.main()
    script.main()
    verify.main()
    assert f"verified {deployment.escrow_address()}" in capsys.readouterr().out


def test_a_second_run_sends_nothing(folder, capsys):
    script.main()
    blocks = web3.eth.block_number
    script.main()

    assert "already deployed" in capsys.readouterr().out
    assert web3.eth.block_number == blocks


def test_a_node_of_another_chain_is_refused(folder, sepolia):
    refused("is on chain 31337, not 11155111", folder)


def test_an_unfunded_payer_is_refused(folder, sepolia, on_this_chain, monkeypatch):
    monkeypatch.setenv("OTC_PRIVATE_KEY", KEY)
    refused("holds 0 coins", folder)


def test_no_key_is_refused(folder, sepolia, on_this_chain, monkeypatch):
    monkeypatch.delenv("OTC_PRIVATE_KEY", raising=False)
    monkeypatch.delenv("OTC_KEYSTORE", raising=False)
    refused("no account", folder)


def test_other_code_at_the_address_is_refused(folder, sepolia, on_this_chain, set_code):
    set_code(deployment.escrow_address(), "0x00")
    refused("is not this build's escrow", folder)


@pytest.mark.parametrize(
    ("code", "words"),
    [("0x", "has no CREATE2 deployer"), ("0x00", "not the CREATE2 deployer's")],
)
def test_a_chain_without_the_deployer_is_refused(
    folder, sepolia, on_this_chain, funded, set_code, code, words
):
    set_code(deployment.CREATE2_DEPLOYER, code)
    refused(words, folder)


def test_a_busy_payer_is_refused(folder, sepolia, on_this_chain, funded):
    rpc("evm_setAutomine", False)
    try:
        rpc("eth_sendRawTransaction", waiting())
        refused("has 1 unmined transactions", folder)
    finally:
        rpc("evm_mine")
        rpc("evm_setAutomine", True)


def test_another_builds_record_is_kept(folder, sepolia, on_this_chain, funded):
    """Found: the refusal named an option that brownie's deploy lacks."""
    record_of_another_build(folder, "sepolia")
    refused("records another build's escrow.* use `otc deploy --replace`", folder)


def test_another_builds_record_of_a_development_chain_is_replaced(folder):
    """Found: after a change of the contracts nothing was deployed any more."""
    record_of_another_build(folder, "development")
    script.main()
    assert deployment.read(folder, "development").escrow == deployment.escrow_address()


def waiting():
    """A transaction of the payer's to itself, signed."""
    call = {"from": PAYER, "to": PAYER}
    return "0x" + Wallet(web3, from_key(KEY)).signed(call).hex()


def record_of_another_build(folder, chain):
    here = deployment.Network(chain, web3.eth.chain_id, web3.provider.endpoint_uri)
    old = deployment.describe(web3, here, None, 0)
    deployment.write(folder, replace(old, escrow="0x" + "11" * 20))


def test_a_broken_deployment_file_is_refused(folder, sepolia, on_this_chain):
    (folder / "sepolia.json").write_text(json.dumps({"chain": "sepolia"}))
    refused("is a required property", folder)


def refused(words, folder):
    """The script ends with these words, having sent and written nothing."""
    before = seen(folder)
    with pytest.raises(SystemExit, match=words):
        script.main()
    assert seen(folder) == before


def seen(folder):
    """What sending or writing would change."""
    sent = web3.eth.get_transaction_count(PAYER, "pending")
    return web3.eth.block_number, sent, sorted(folder.iterdir())
