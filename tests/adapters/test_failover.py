"""One client over several nodes: the next one answers for one that does not."""

import json
from typing import Any

import pytest
from requests.exceptions import RequestException
from web3.exceptions import BadResponseFormat, Web3RPCError

from coordinator.adapters.chain.node import Node, open_web3
from coordinator.adapters.chain.sender import Account
from coordinator.services.ports import Call, NodeDown, Reverted
from tests.adapters.answering import answering, saying
from tests.chain import Anvil

NOBODY, NOWHERE = "http://127.0.0.1:9", "0x" + "11" * 20


def test_the_second_node_answers_and_is_asked_first_from_then_on(anvil: Anvil) -> None:
    w3 = open_web3(NOBODY, anvil.url)
    assert w3.eth.chain_id == anvil.w3.eth.chain_id
    assert w3.provider.providers[0].endpoint_uri == anvil.url  # type: ignore[attr-defined]


def test_nobody_answers() -> None:
    with pytest.raises(RequestException):
        _ = open_web3(NOBODY, NOBODY).eth.chain_id


def test_what_one_node_refuses_is_not_asked_of_another(anvil: Anvil) -> None:
    w3 = open_web3(anvil.url, NOBODY)
    with pytest.raises(Web3RPCError):
        w3.eth.send_raw_transaction(b"\x01")


@pytest.mark.parametrize("answer", [
    b'{"jsonrpc":"2.0","id":0,"result":"0x' + b"ab" * 32 + b'"}', b"[]", b"no",
    b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"already known"}}',
])  # fmt: skip
def test_a_transaction_goes_to_every_node(anvil: Anvil, answer: bytes) -> None:
    """Found: a node that says it took one, and drops it, kept it from all others."""
    account = anvil.funded_account()
    transaction = {
        "to": account.address, "value": 0, "gas": 21_000, "chainId": anvil.w3.eth.chain_id,
        "nonce": anvil.w3.eth.get_transaction_count(account.address),
        "maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**9,
    }  # fmt: skip
    signed = account.sign_transaction(transaction)
    with answering(answer) as url:
        open_web3(url, anvil.url).eth.send_raw_transaction(signed.raw_transaction)
    assert anvil.w3.eth.get_transaction(signed.hash)["nonce"] == transaction["nonce"]


REFUSED = {"code": 3, "message": "execution reverted", "data": "0x12345678"}


@pytest.mark.parametrize("answer", [{"error": REFUSED}, {"result": None}, {"result": "no"}])
def test_what_one_node_cannot_estimate_another_can(anvil: Anvil, answer: dict[str, Any]) -> None:
    """Found: one node that always refused kept a buyer's dispute from being sent."""
    chain_id, payer = anvil.w3.eth.chain_id, anvil.funded_account()
    with saying(answer, chain_id) as url:
        account = Account(url, chain_id, payer, 10**18, [anvil.url])
        assert account.simulate(Call(NOWHERE, "0x")) == 21_000


def test_what_all_nodes_refuse_is_refused_in_the_first_ones_words(anvil: Anvil) -> None:
    with saying({"error": REFUSED}) as url:
        account = Account(url, 1, anvil.funded_account(), 10**18, [NOBODY])
        with pytest.raises(Reverted, match="0x12345678"):
            account.simulate(Call(NOWHERE, "0x"))


def test_an_answer_to_another_request_is_not_taken() -> None:
    with answering(b'{"jsonrpc":"2.0","id":999,"result":"0x1"}') as url:
        with pytest.raises(BadResponseFormat, match="an answer to request 999"):
            _ = open_web3(url).eth.chain_id
        with pytest.raises(NodeDown):
            Node(url, "finalized").chain_id()


@pytest.mark.parametrize("answer", [b"[]", b'"no"', b"{}", b'{"id":0}', b"null", b"\xff", b""])
def test_nonsense_is_an_outage(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(NodeDown):
        Node(url, "finalized").head()


TRUE = {"number": "0x1", "hash": "0x" + "ab" * 32, "parentHash": "0x" + "cd" * 32,
        "timestamp": "0x1", "logsBloom": "0x0"}  # fmt: skip
NUMBERS = ["0x" + "f" * 20, "-0x1"]
WRONG = [
    *({"number": number} for number in NUMBERS), *({"timestamp": number} for number in NUMBERS),
    {"hash": "\0\0" + "ab" * 32},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_books_cannot_hold_is_an_outage(wrong: dict[str, str]) -> None:
    """Found: one node's huge number ended the watcher at every step."""
    answer = {"jsonrpc": "2.0", "id": 0, "result": TRUE | wrong}
    with answering(json.dumps(answer).encode()) as url, pytest.raises(NodeDown):
        Node(url, "finalized").head()


def test_answers_without_end_are_an_outage() -> None:
    """Found: lists in lists, and an error whose code is infinite, ended the worker."""
    for answer in (b"[" * 100_000, b'{"id":0,"error":{"code":Infinity}}'):
        with answering(answer) as url, pytest.raises(NodeDown):
            Node(url, "finalized").head()
