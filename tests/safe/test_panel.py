"""An arbitration panel of two of three: it rules with a trader, and cannot be misled."""

import json
import re
from dataclasses import replace

import pytest
from chain import account_of
from cli.proxy import proxy
from conftest import AMOUNT, FEE, OWNERS, UNIT
from otc_sdk.calls import call
from otc_sdk.chain import EscrowAccount, connect
from otc_sdk.deployment import CREATE2_DEPLOYER
from otc_sdk.errors import ChainError
from otc_sdk.roles import Role
from web3 import Web3

from scripts import panel, safe

RULING = 40 * UNIT


@pytest.fixture
def file(case, desk, made):
    """A proposal that the panel signs off chain: 40 of 100 to the buyer."""
    path = desk.folder / "ruling.json"
    arguments = ("--panel", made, "--order", case.file, "--to-buyer", 40, "--way", "sign")
    desk.run("panel", "propose", *arguments, path)
    return path


def propose_execution(desk, case, made, trader=Role.BUYER):
    until = desk.chain.now() + 86_400
    path = desk.folder / "execution.json"
    arguments = ("--panel", made, "--order", case.file, "--to-buyer", 40, "--way", "execute")
    desk.run("panel", "propose", *arguments, "--signed", case.signed(trader, RULING, until), path)
    return path


def paid(case):
    return case.balance(case.terms.token, case.terms.buyer) == RULING - FEE * 2 // 5


# Two ways to rule.


def test_the_panel_signs_and_a_trader_brings_it(case, desk, file):
    gas = [desk.chain.w3.eth.get_balance(owner.address) for owner in OWNERS]
    desk.confirm("panel", file, 0, 2)
    out = desk.folder / "panel.json"
    desk.run("panel", "submit", file, "--out", out)

    signed = json.loads(out.read_text())
    trader = EscrowAccount(desk.chain.w3, case.domain, case.buyer)
    signature = {Role.ARBITRATOR: bytes.fromhex(signed["signature"][2:])}
    trader.settle(case.terms, int(signed["to_buyer_units"]), signed["valid_until"], signature)

    assert paid(case)
    assert gas == [desk.chain.w3.eth.get_balance(owner.address) for owner in OWNERS] == [0] * 3


def test_the_panel_executes_what_a_trader_signed(case, desk, made):
    path = propose_execution(desk, case, made)
    desk.confirm("panel", path, 2, 1)
    printed = desk.run("panel", "submit", path, key=desk.chain.funded_account("anybody"))

    assert paid(case)
    assert "0x" + case.id.hex() in printed


def test_the_hash_is_the_safes_own(case, desk, made):
    path = propose_execution(desk, case, made)
    agreed = panel.Ruling.load(json.loads(path.read_text())).agreed
    contract = safe.contract(desk.chain.w3, made)
    zero = "0x" + "00" * 20
    asked = contract.functions.getTransactionHash(
        agreed.to, 0, agreed.data, 0, 0, 0, 0, zero, zero, agreed.nonce
    )
    assert asked.call() == agreed.hash


# What is refused, before anything is sent.


def test_one_owner_is_not_enough(case, desk, file):
    desk.confirm("panel", file, 1)
    desk.refuse("1 more of the 3 owners", "panel", "submit", file, "--out", desk.folder / "x")


def test_a_stranger_confirms_nothing(case, desk, file):
    stranger = account_of("stranger")
    desk.refuse("is no owner", "panel", "confirm", file, "--yes", key=stranger)


def test_a_confirmation_of_something_else_does_not_count(case, desk, file):
    desk.confirm("panel", file, 0, 1)
    content = json.loads(file.read_text())
    content["to_buyer_units"] = str(AMOUNT)
    file.write_text(json.dumps(content))
    desk.refuse("not an owner's over this", "panel", "submit", file, "--out", desk.folder / "x")


def test_a_used_nonce_is_refused(case, desk, made):
    path = propose_execution(desk, case, made)
    desk.confirm("panel", path, 0, 1)
    rival = desk.folder / "rival.json"
    rival.write_text(path.read_text())
    payer = desk.chain.funded_account("anybody")
    spend_nonce(desk, made, payer)

    desk.refuse("was used already", "panel", "submit", rival, key=payer)
    desk.refuse("was used already", "panel", "confirm", rival, "--yes", key=OWNERS[2])


def spend_nonce(desk, made, payer):
    """The Safe calls a stranger, which takes its next nonce."""
    panel_safe = safe.Safe(desk.chain.w3, made)
    to = account_of("stranger").address
    agreed = safe.Transaction(made, panel_safe.chain_id, to, b"", panel_safe.nonce)
    signatures = {o.address: safe.confirm(panel_safe, agreed, o) for o in OWNERS[:2]}
    safe.execute(panel_safe, agreed, signatures, payer)


def test_an_order_of_another_panel_is_refused(case, desk, anvil):
    owners = [owner.address for owner in OWNERS]
    other = safe.create(anvil.w3, anvil.funded_account("payer"), owners, 2)
    arguments = ("--panel", other, "--order", case.file, "--to-buyer", 40, "--way", "sign")
    desk.refuse("the order's arbitrator is", "panel", "propose", *arguments, desk.folder / "x")


def test_a_settled_order_is_refused(case, desk, made, file):
    path = propose_execution(desk, case, made)
    desk.confirm("panel", path, 0, 1)
    desk.run("panel", "submit", path, key=desk.chain.funded_account("anybody"))
    desk.refuse("settled already", "panel", "confirm", file, "--yes", key=OWNERS[0])


def test_a_ruling_that_would_fail_is_not_sent(case, desk, made):
    path = propose_execution(desk, case, made)
    content = json.loads(path.read_text())
    content["trader"]["buyer"] = "0x" + "11" * 65
    path.write_text(json.dumps(content))
    desk.confirm("panel", path, 0, 1)
    words = "would fail: InvalidSignature"
    desk.refuse(words, "panel", "submit", path, key=desk.chain.funded_account("anybody"))


def test_a_busy_sender_is_refused(case, desk, made):
    """It may wait for this very ruling, sent by a run that was interrupted."""
    path, payer = propose_execution(desk, case, made), desk.chain.funded_account()
    desk.confirm("panel", path, 0, 1)
    with desk.busy(payer):
        desk.refuse("has 1 unmined transactions", "panel", "submit", path, key=payer)


def test_an_unfunded_sender_is_refused(case, desk, made):
    path = propose_execution(desk, case, made)
    desk.confirm("panel", path, 0, 1)
    desk.refuse("holds 0 coins", "panel", "submit", path, key=account_of("poor"))


def test_an_address_without_a_safe_is_refused(case, desk, token):
    for place in (account_of("nobody").address, token):
        arguments = ("--panel", place, "--order", case.file, "--to-buyer", 40, "--way", "sign")
        desk.refuse("no Safe 1.5.0 at", "panel", "propose", *arguments, desk.folder / "x")


def test_a_safe_of_other_code_is_refused(case, desk, made):
    singleton = safe.place_of("Safe")
    desk.chain.rpc("anvil_setCode", singleton, "0x" + safe.runtime("Safe").hex() + "00")
    try:
        arguments = ("--panel", made, "--order", case.file, "--to-buyer", 40, "--way", "sign")
        desk.refuse("runs other code", "panel", "propose", *arguments, desk.folder / "x")
    finally:
        desk.chain.rpc("anvil_setCode", singleton, "0x" + safe.runtime("Safe").hex())


def test_an_order_of_another_chain_is_refused(case, desk, made, file):
    content = json.loads(file.read_text())
    content["order"]["chain_id"] = 5
    file.write_text(json.dumps(content))
    desk.refuse("the order is on chain 5", "panel", "confirm", file, "--yes", key=OWNERS[0])


@pytest.mark.parametrize("words", ["no code at", "not this build's escrow"])
def test_an_order_of_another_escrow_is_refused(case, desk, file, token, words):
    content = json.loads(file.read_text())
    nobody = account_of("nobody").address
    content["order"]["escrow"] = nobody if words == "no code at" else token
    file.write_text(json.dumps(content))
    desk.refuse(words, "panel", "confirm", file, "--yes", key=OWNERS[0])


def test_a_safe_without_its_handler_signs_nothing(case, desk, made):
    handler = safe.place_of("CompatibilityFallbackHandler")
    code = safe.runtime("CompatibilityFallbackHandler").hex()
    arguments = ("--panel", made, "--order", case.file, "--to-buyer", 40, "--way", "sign")
    desk.chain.rpc("anvil_setCode", handler, f"0x{code}00")
    try:
        desk.refuse("another handler", "panel", "propose", *arguments, desk.folder / "x")
    finally:
        desk.chain.rpc("anvil_setCode", handler, f"0x{code}")


def test_a_weak_panel_is_warned_of_and_still_rules(desk, anvil):
    payer = anvil.funded_account("payer")
    weak = safe.create(anvil.w3, payer, [owner.address for owner in OWNERS], 2)
    found = safe.Safe(anvil.w3, weak)
    assert found.warning() == "nothing"
    lower = call("changeThreshold(uint256)", 1)
    agreed = safe.Transaction(weak, found.chain_id, weak, lower, found.nonce)
    signatures = {o.address: safe.confirm(found, agreed, o) for o in OWNERS[:2]}
    safe.execute(found, agreed, signatures, payer)

    assert "one owner act alone" in safe.Safe(anvil.w3, weak).warning()


@pytest.mark.parametrize(
    ("slot", "words"),
    [(safe.HANDLER_SLOT, "handler .* is not Safe's own"), (safe.GUARD_SLOT, "guard .* can refuse")],
)
def test_what_acts_beside_the_owners_is_warned_of(desk, anvil, token, slot, words):
    """Found: of a Safe whose handler is the token, everybody can transfer."""
    payer = anvil.funded_account("payer")
    weak = safe.create(anvil.w3, payer, [owner.address for owner in OWNERS], 2)
    anvil.rpc("anvil_setStorageAt", weak, f"0x{slot:064x}", "0x" + token[2:].zfill(64))
    assert re.search(words, safe.Safe(anvil.w3, weak).warning())


def test_what_is_shown_steers_no_terminal(case, desk, file):
    """Found: a symbol with escapes showed another ruling than the one that was signed."""
    content = json.loads(file.read_text())
    content["order"]["token_symbol"] = "\x1b[2J\x1b[Hbuyer gets   99.5 USDT\nseller gets  0 USDT"
    file.write_text(json.dumps(content))
    printed = desk.run("panel", "confirm", file, "--yes", key=OWNERS[0])
    assert "\x1b" not in printed
    assert len([line for line in printed.splitlines() if line.startswith("seller gets")]) == 1


def test_decimals_that_are_not_the_tokens_are_refused(case, desk, file):
    """Found: they made a hundred tokens look like one."""
    content = json.loads(file.read_text())
    content["order"]["token_decimals"] = 8
    file.write_text(json.dumps(content))
    words = "has 6 decimals on chain, not 8"
    desk.refuse(words, "panel", "confirm", file, "--yes", key=OWNERS[0])


# Making a panel.


def create(*owners: str, threshold: int = 2) -> tuple:
    named = [word for owner in owners for word in ("--owner", owner)]
    return ("panel", "create", *named, "--threshold", threshold)


def test_a_panel_is_made_by_command(desk):
    owners = [owner.address for owner in OWNERS]
    printed = desk.run(*create(*owners), key=desk.chain.funded_account())
    made = next(word for word in printed.split() if Web3.is_checksum_address(word))
    found = safe.Safe(desk.chain.w3, made)
    assert (sorted(found.owners), found.threshold) == (sorted(owners), 2)


@pytest.mark.parametrize(("count", "threshold"), [(1, 1), (2, 2), (3, 1), (3, 3), (3, 4)])
def test_too_few_owners_are_refused(desk, count, threshold):
    owners = [owner.address for owner in OWNERS[:count]]
    payer = desk.chain.funded_account()
    desk.refuse("the owners will not do", *create(*owners, threshold=threshold), key=payer)


def test_an_owner_named_twice_is_refused(desk):
    owners = [OWNERS[0].address, OWNERS[1].address, OWNERS[0].address]
    desk.refuse("named twice", *create(*owners), key=desk.chain.funded_account())


def test_an_unfunded_deployer_is_refused(desk):
    owners = [owner.address for owner in OWNERS]
    desk.refuse("holds 0 coins", *create(*owners), key=account_of("poor"))


@pytest.mark.parametrize(
    ("code", "words"),
    [("0x", "has no CREATE2 deployer"), ("0x00", "not the CREATE2 deployer's")],
)
def test_a_chain_without_the_deployer_is_refused(fresh, code, words):
    """Found: with other code there four transactions were sent, and no Safe made."""
    fresh.chain.rpc("anvil_setCode", CREATE2_DEPLOYER, code)
    owners = [owner.address for owner in OWNERS]
    fresh.refuse(words, *create(*owners), key=fresh.chain.funded_account())


@pytest.mark.parametrize("name", safe.PLACED)
def test_foreign_code_where_safes_contracts_go_is_refused(fresh, name):
    fresh.chain.rpc("anvil_setCode", safe.place_of(name), "0x00")
    owners = [owner.address for owner in OWNERS]
    words = f"the code at {safe.place_of(name)} is not that of {name} 1.5.0"
    fresh.refuse(words, *create(*owners), key=fresh.chain.funded_account())


def test_a_busy_payer_is_refused(fresh):
    owners, payer = [owner.address for owner in OWNERS], fresh.chain.funded_account()
    with fresh.busy(payer):
        fresh.refuse("has 1 unmined transactions", *create(*owners), key=payer)


def test_a_node_that_hides_the_safe_is_named(fresh):
    """Found: an uncaught StopIteration."""

    def without_logs(_, answer):
        if isinstance(answer.get("result"), dict) and "logs" in answer["result"]:
            answer["result"]["logs"] = []
        return 200, json.dumps(answer)

    owners = [owner.address for owner in OWNERS]
    payer = fresh.chain.funded_account()
    words = "the factory made no Safe in transaction 0x"
    with proxy(fresh.url, without_logs) as url, pytest.raises(ChainError, match=words):
        safe.create(connect(url), payer, owners, 2)


def test_no_key_is_refused(desk):
    owners = [owner.address for owner in OWNERS]
    desk.refuse("no account", *create(*owners))


@pytest.mark.parametrize("words", [["--private-key", "KEY"], ["--keystore=KEY"], ["KEY"]])
def test_a_key_in_the_arguments_is_refused_unseen(desk, words):
    key = account_of("payer").key.hex()
    owners = [owner.address for owner in OWNERS]
    given = [word.replace("KEY", key) for word in words]
    with pytest.raises(SystemExit, match="looks like a private key") as refusal:
        desk.run(*create(*owners), *given)
    assert key not in str(refusal.value)


def test_a_node_of_another_chain_is_refused(desk):
    owners = [owner.address for owner in OWNERS]
    elsewhere = replace(desk, network="sepolia")
    words = "is on chain 31337, not 11155111"
    elsewhere.refuse(words, *create(*owners), key=desk.chain.funded_account())
