"""A treasury sends its fees to cold storage when two of three say so, and nowhere by mistake."""

import json
from dataclasses import replace

import pytest
from chain import account_of
from conftest import COLD, OWNERS, UNIT
from otc_sdk import keystore


@pytest.fixture
def propose(desk, rich_treasury, token):
    """Propose a transfer of this amount; returns the proposal's file."""

    def propose(amount="all", to=COLD):
        path = desk.folder / "transfer.json"
        arguments = ("--treasury", rich_treasury, "--token", token, "--to", to)
        desk.run("treasury", "propose", *arguments, "--amount", amount, path)
        return path

    return propose


def test_fees_go_to_cold_storage(desk, propose, rich_treasury, case):
    path = propose()
    held = case.balance(case.terms.token, rich_treasury)
    before = case.balance(case.terms.token, COLD)
    desk.confirm("treasury", path, 1, 0)
    printed = desk.run("treasury", "submit", path, key=desk.chain.funded_account())

    assert case.balance(case.terms.token, rich_treasury) == 0
    assert case.balance(case.terms.token, COLD) == before + held
    assert COLD in printed


def test_the_key_may_be_in_an_encrypted_keystore(desk, propose, monkeypatch):
    path, wallet = propose(amount="1"), desk.folder / "payer.json"
    desk.confirm("treasury", path, 0, 2)
    payer = keystore.create(wallet, "a password", keystore.LIGHT_SCRYPT_N)
    desk.chain.rpc("anvil_setBalance", payer, hex(10**18))
    monkeypatch.setenv(keystore.PASSWORD, "wrong")
    desk.refuse("wrong password", "treasury", "submit", path, "--keystore", wallet)
    monkeypatch.setenv(keystore.PASSWORD, "a password")
    assert "arrived" in desk.run("treasury", "submit", path, "--keystore", wallet)


def test_a_transfer_happens_once(desk, propose):
    path = propose(amount="1.5")
    desk.confirm("treasury", path, 1, 2)
    payer = desk.chain.funded_account()
    desk.run("treasury", "submit", path, key=payer)
    desk.refuse("was used already", "treasury", "submit", path, key=payer)


def test_one_owner_is_not_enough(desk, propose):
    path = propose()
    desk.confirm("treasury", path, 1)
    payer = desk.chain.funded_account()
    desk.refuse("1 more of the 3 owners", "treasury", "submit", path, key=payer)


def test_the_same_owner_twice_counts_once(desk, propose):
    path = propose()
    desk.confirm("treasury", path, 1, 1)
    payer = desk.chain.funded_account()
    desk.refuse("1 more of the 3 owners", "treasury", "submit", path, key=payer)


@pytest.mark.parametrize(
    ("field", "value"), [("to", account_of("thief").address), ("amount_units", str(UNIT))]
)
def test_a_changed_proposal_needs_new_confirmations(desk, propose, field, value):
    path = propose()
    desk.confirm("treasury", path, 0, 1)
    content = json.loads(path.read_text())
    content[field] = value
    path.write_text(json.dumps(content))
    payer = desk.chain.funded_account()
    desk.refuse("not an owner's over this", "treasury", "submit", path, key=payer)


def test_more_than_there_is_is_refused(desk, propose):
    with pytest.raises(SystemExit, match="cannot be sent"):
        propose(amount="1000000")


def test_a_place_that_loses_tokens_is_refused(desk, propose, rich_treasury, token):
    for place in ("0x" + "00" * 20, rich_treasury, token):
        with pytest.raises(SystemExit, match="would be lost"):
            propose(to=place)


def test_a_mistyped_address_is_refused(desk, propose):
    with pytest.raises(SystemExit, match="is not an address with its checksum"):
        propose(to=COLD.lower())


def test_an_address_without_a_token_is_refused(desk, rich_treasury):
    nowhere = account_of("nobody").address
    arguments = ("--treasury", rich_treasury, "--token", nowhere, "--to", COLD, "--amount", 1)
    desk.refuse("no token at", "treasury", "propose", *arguments, desk.folder / "x")


def test_an_address_without_a_safe_is_refused(desk, token):
    for place in (account_of("nobody").address, token):
        arguments = ("--treasury", place, "--token", token, "--to", COLD, "--amount", 1)
        desk.refuse("no Safe 1.5.0 at", "treasury", "propose", *arguments, desk.folder / "x")


@pytest.mark.parametrize("command", ["confirm", "submit"])
def test_a_proposal_of_an_address_without_a_safe_is_refused(desk, propose, token, command):
    path = propose()
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "treasury": token}))
    payer = desk.chain.funded_account()
    desk.refuse("no Safe 1.5.0 at", "treasury", command, path, key=payer)


def test_a_node_of_another_chain_is_refused(desk, propose, rich_treasury, token):
    path, payer = propose(), desk.chain.funded_account()
    desk.confirm("treasury", path, 0, 1)
    elsewhere, words = replace(desk, network="sepolia"), "is on chain 31337, not 11155111"
    arguments = ("--treasury", rich_treasury, "--token", token, "--to", COLD, "--amount", 1)
    elsewhere.refuse(words, "treasury", "propose", *arguments, desk.folder / "x")
    elsewhere.refuse(words, "treasury", "confirm", path, "--yes", key=OWNERS[2])
    elsewhere.refuse(words, "treasury", "submit", path, key=payer)


def test_the_transfer_of_another_chain_is_refused(desk, propose):
    path = propose()
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "chain_id": 5}))
    desk.refuse("the transfer is on chain 5", "treasury", "confirm", path, "--yes", key=OWNERS[0])


def test_an_unfunded_sender_is_refused(desk, propose):
    path = propose()
    desk.confirm("treasury", path, 0, 1)
    desk.refuse("holds 0 coins", "treasury", "submit", path, key=account_of("poor"))


def test_nobody_agrees_by_accident(desk, propose):
    path = propose()
    desk.refuse("use --yes", "treasury", "confirm", path, key=OWNERS[0])


def test_a_proposal_is_not_overwritten(desk, propose):
    propose()
    with pytest.raises(SystemExit, match="exists"):
        propose()
