"""One of two nodes lies about a figure that only the sender reads; what waits is sent all the same.

Found, all of them: the first node that answered was gone by.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from coordinator.adapters.chain import answers
from coordinator.adapters.chain.sender import Account
from coordinator.domain import gas
from coordinator.workers.flight import REBROADCAST_AFTER_SECONDS
from coordinator.workers.sender import MAX_REVERTED_DISPUTES, RETRY_REFUSED_SECONDS
from tests.adapters.answering import Lie, lying, refusal, result
from tests.findings.world import MAX_FEE_WEI
from tests.sending.world import SendingWorld

HUGE = hex(2**62)
NOBODY = "http://127.0.0.1:9"
WAIT_SECONDS = 30


def ask(live: SendingWorld, *urls: str) -> None:
    """From now on the sender asks these nodes, in this order."""
    first, *others = urls
    account = Account(first, live.platform.domain.chain_id, live.gas, MAX_FEE_WEI, others)
    live.account = live.sender.node = live.sender.flight.node = account


@contextmanager
def lied_to(live: SendingWorld, method: str, lie: Lie) -> Iterator[None]:
    """The first of the sender's two nodes lies."""
    with lying(live.anvil.url, {method: lie}) as url:
        ask(live, url, live.anvil.url)
        yield
    ask(live, live.anvil.url)


def replaced(**changes: object) -> Lie:
    """The true answer, if there is one, with other fields."""
    return lambda said: {**said, "result": said["result"] and {**said["result"], **changes}}


ESTIMATES = {"one": 1, "too little": 30_000, "too much": gas.MAX_GAS}


@pytest.mark.parametrize("said", ESTIMATES.values(), ids=ESTIMATES)
def test_an_estimate(live: SendingWorld, said: int) -> None:
    """The transaction was never mined, or mined in vain until it was too often, or never sent."""
    order_id = live.funded()
    live.open_dispute(order_id)
    with lied_to(live, "eth_estimateGas", result(hex(said))):
        for _ in range(2 * MAX_REVERTED_DISPUTES):
            live.carry()
            live.later(RETRY_REFUSED_SECONDS)
            live.keeper.step()
    assert live.disputed(order_id)


def test_an_estimate_of_the_only_node(live: SendingWorld) -> None:
    """Nothing of the key was ever mined again, though the lie was over."""
    first, second = live.funded(), live.funded()
    live.open_dispute(first)
    with lying(live.anvil.url, {"eth_estimateGas": result("0x1")}) as url:
        ask(live, url)
        live.carry()
    ask(live, live.anvil.url)
    live.open_dispute(second)
    live.carry()
    live.carry_again()
    assert (live.disputed(first), live.disputed(second)) == (True, True)


def test_an_estimate_ends_no_settlement(live: SendingWorld) -> None:
    """It was dropped, and its traders had to sign another."""
    [order_id] = live.agreed()
    with lied_to(live, "eth_estimateGas", result(hex(gas.MAX_GAS))):
        live.carry()
    assert live.status(order_id) == "completed"


@pytest.mark.parametrize("others", ["silent", "refusing"])
def test_an_estimate_ends_no_settlement_while_the_other_node_says_none(
    live: SendingWorld, others: str
) -> None:
    """It was dropped at the word of the one that answered."""
    [order_id] = live.agreed()
    too_much = {"eth_estimateGas": result(hex(gas.MAX_GAS))}
    refuse = {"eth_estimateGas": refusal({"code": 3, "message": "execution reverted"})}
    with lying(live.anvil.url, too_much) as liar, lying(live.anvil.url, refuse) as other:
        ask(live, liar, NOBODY if others == "silent" else other)
        live.carry()
    assert live.intent(order_id).status == "pending"
    ask(live, live.anvil.url)
    live.carry_again()
    assert live.status(order_id) == "completed"


FIGURES: dict[str, tuple[str, Lie]] = {
    "no coins": ("eth_getBalance", result("0x0")),
    "a huge base fee": ("eth_feeHistory", replaced(baseFeePerGas=[HUGE] * 11)),
    "huge tips": ("eth_feeHistory", replaced(reward=[[HUGE]] * 10)),
    "a base fee of almost nothing": (
        "eth_feeHistory", replaced(baseFeePerGas=["0x1"] * 11, reward=[["0x1"]] * 10),
    ),
    "no more of its quota": (
        "eth_getBalance", refusal({"code": -32005, "message": "daily request count exceeded"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "lie"), FIGURES.values(), ids=FIGURES)
def test_coins_and_fees(live: SendingWorld, method: str, lie: Lie) -> None:
    order_id = live.funded()
    live.open_dispute(order_id)
    with lied_to(live, method, lie):
        for _ in range(4):
            live.carry()
            live.later(60)
    assert live.disputed(order_id)


@pytest.mark.parametrize("field", ["effectiveGasPrice", "gasUsed"])
def test_a_receipts_fee(live: SendingWorld, field: str) -> None:
    """No more was spent than was signed: settlements waited for the next day."""
    live.agreed()
    with lied_to(live, "eth_getTransactionReceipt", replaced(**{field: HUGE})):
        live.carry(3)
    [order_id] = live.agreed()
    live.carry()
    assert live.status(order_id) == "completed"
    assert max(slot.fee_wei for slot in live.slots()) <= live.attempts()[-1].max_fee_wei
    assert max(slot.gas_used or 0 for slot in live.slots()) <= gas.MAX_GAS


def test_a_silent_node_costs_its_timeout_once(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every transaction in flight waited for it again, and a dispute for all of them."""
    monkeypatch.setattr(answers, "TIMEOUT_SECONDS", 1)
    asked, released = list[object](), threading.Event()

    def keep_silent(said: dict[str, object]) -> dict[str, object]:
        asked.append(said)
        released.wait(WAIT_SECONDS)
        return said

    live.agreed(4)
    live.account.no_simulation_until = time.monotonic() + 999
    with live.held_back():
        live.sender.step()
        live.later(REBROADCAST_AFTER_SECONDS)
        with lied_to(live, "eth_sendRawTransaction", keep_silent):
            live.sender.step()
            released.set()
    assert (len(live.slots()), len(asked)) == (4, 1)
