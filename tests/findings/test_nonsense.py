"""A node's nonsense, wherever it stands in an answer, is an outage and ends nobody's work."""

from collections.abc import Callable
from typing import Any

import pytest
from otc_sdk.calls import explain_revert

from coordinator.adapters.chain.coins import read_coins
from coordinator.adapters.chain.sender import Account
from coordinator.services.ports import NodeDown, Reverted
from tests.adapters.answering import answering, saying
from tests.adapters.test_sender_answers import ANSWERS, CALL, account
from tests.chain import account_of

# An Error(string) of 2^256 - 1 characters.
ENDLESS = "0x08c379a0" + f"{32:064x}" + "f" * 64
REVERT_DATA = {
    "a text without end": ENDLESS,
    "an offchain lookup of nothing": "0x556f1830" + "0" * 128,
    "a panic of no known kind": "0x4e487b71" + "f" * 64,
    "no text": 5,
}
ACTS: dict[str, Callable[[Account], Any]] = {
    "estimate": lambda node: node.simulate(CALL),
    "broadcast": lambda node: node.broadcast("0x02"),
}


@pytest.mark.parametrize("data", REVERT_DATA.values(), ids=REVERT_DATA)
def test_a_reverts_data_ends_no_sender(data: Any) -> None:
    """Found: data that web3 or eth_abi cannot decode ended the sender's step for everybody."""
    error = {"code": 3, "message": "execution reverted", "data": data}
    with saying({"error": error}) as url, pytest.raises((NodeDown, Reverted)):
        account(url).simulate(CALL)


def test_a_reason_without_end_is_shown_as_it_is() -> None:
    """Found: its length did not fit into a number of the machine, and nobody caught that."""
    assert explain_revert(bytes.fromhex(ENDLESS[2:])) == f"reverted with {ENDLESS}"


@pytest.mark.parametrize("body", [b"[]", b'"rate limited"', b"null", b"5", b"<html>"])
@pytest.mark.parametrize("act", ACTS)
def test_a_body_that_is_no_answer_is_an_outage(act: str, body: bytes) -> None:
    """Found: JSON of another kind than an object ended the sender's step for everybody."""
    with answering(body) as url, pytest.raises(NodeDown):
        ACTS[act](account(url))


@pytest.mark.parametrize("answer", [*ANSWERS, None], ids=repr)
def test_what_is_no_number_is_nobodys_coins(answer: Any) -> None:
    """Found: such a balance ended `otc status` with a TypeError, after the books were read."""
    with saying({"result": answer}) as url, pytest.raises(NodeDown):
        read_coins(url, account_of("nobody").address)
