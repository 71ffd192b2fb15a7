"""A node's nonsense is an outage, whatever the sender asked: no worker ends, no book is spoilt."""

from collections.abc import Callable
from typing import Any

import pytest

from coordinator.adapters.chain.sender import Account
from coordinator.services.ports import Call, NodeDown, Reverted
from tests.adapters.answering import saying
from tests.chain import account_of

ANSWERS: list[Any] = [
    {}, [], "", "no", "\0", "-0x1", "0x" + "f" * 65, -1, 1.5, True, [[]], {"hash": None},
    {"baseFeePerGas": ["-0x1"], "reward": [["0x1"]]},
    {"baseFeePerGas": ["0x1"], "reward": [["no"]]},
    [{"calls": [{"status": "0x1", "gasUsed": "-0x1", "logs": []}]}],
    [{"calls": [{"status": "0x1", "gasUsed": "0x1", "logs": [{}]}]}], [{"calls": []}],
]  # fmt: skip
RECEIPT = {
    "transactionHash": "0x" + "ab" * 32, "blockHash": "0x" + "cd" * 32, "blockNumber": "0x1",
    "status": "0x1", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "logs": [],
    "to": "0x" + "11" * 20,
}  # fmt: skip
WRONG: list[dict[str, Any]] = [
    *({name: wrong} for name in ("blockNumber", "gasUsed", "effectiveGasPrice")
      for wrong in ("-0x1", "0x" + "f" * 20, None, [])),
    {"blockHash": "0x01"}, {"blockHash": None}, {"logs": [{}]}, {"logs": None},
]  # fmt: skip
CALL = Call("0x" + "11" * 20, "0x")
QUESTIONS: dict[str, Callable[[Account], Any]] = {
    "balance": lambda node: node.balance(),
    "transaction count": lambda node: node.transaction_count(),
    "quote": lambda node: node.quote(),
    "estimate": lambda node: node.simulate(CALL),
    "batch": lambda node: node.try_batch(CALL, 1),
    "receipt": lambda node: node.receipt("0x" + "ab" * 32),
}


def account(url: str) -> Account:
    return Account(url, 1, account_of("nobody"), 10**18)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
def test_nonsense_is_an_outage(question: str, answer: Any) -> None:
    """Found: a balance or a price that is no number ended the sender's step for everybody."""
    with saying({"result": answer}) as url, pytest.raises(NodeDown):
        QUESTIONS[question](account(url))


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_a_receipt_that_the_books_cannot_hold_is_an_outage(wrong: dict[str, Any]) -> None:
    with saying({"result": RECEIPT}) as url:
        receipt = account(url).receipt("0x" + "ab" * 32)
        assert receipt is not None
        assert (receipt.block_number, receipt.gas_used, receipt.fee_wei) == (1, 1, 1)
    with saying({"result": RECEIPT | wrong}) as url, pytest.raises(NodeDown):
        account(url).receipt("0x" + "ab" * 32)


@pytest.mark.parametrize("words", ["", "\0 \ud800", "x" * 10_000])
def test_a_refusals_words_can_be_kept(words: str) -> None:
    error = {"code": 3, "message": words, "data": "0x08c379a0"}
    with saying({"error": error}) as url, pytest.raises((Reverted, NodeDown)) as refused:
        account(url).simulate(CALL)
    assert str(refused.value).isprintable()
