"""Each fault really happens, is counted, and has its effect: in the process, and over HTTP."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from otc_sdk import calls
from otc_sdk.policy import State

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.sender import Account
from coordinator.domain.chain_logs import TOPICS
from coordinator.services.ports import Call, NodeDown
from tests.simulation.bench import AMOUNT, MAX_FEE_WEI, AnvilBench, FakeBench
from tests.simulation.faults import LIE_SECONDS, LIE_UNITS, Fault, Line
from tests.simulation.provider import InProcess, web3_over
from tests.simulation.proxy import Proxy, forward

SILENT = (Fault.DROPPED, Fault.UNANSWERED, Fault.LATE)
BROKEN = (Fault.CUT, Fault.TOO_MANY, Fault.BAD_GATEWAY)


@pytest.fixture
def bench() -> FakeBench:
    return FakeBench()


@pytest.fixture
def line(bench: FakeBench) -> Line:
    fake = bench.fake
    return Line(fake.request, Random(1), rate=1.0, lag=fake.lag, catch_up=fake.catch_up)


def node_over(line: Line) -> Node:
    node = Node("http://node", "finalized")
    node.provider = InProcess(line)
    return node


def account_over(line: Line, bench: FakeBench) -> Account:
    account = Account("http://node", bench.domain.chain_id, bench.owner, MAX_FEE_WEI)
    account.w3 = web3_over(line)
    return account


def transfer_of(bench: FakeBench) -> str:
    """A signed transfer that no node has yet."""
    transaction = {
        "to": bench.token, "data": calls.transfer(bench.token, 1), "nonce": 0, "gas": 10**6,
        "value": 0, "chainId": bench.domain.chain_id, "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
    }  # fmt: skip
    return str(bench.owner.sign_transaction(transaction).raw_transaction.to_0x_hex())


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
def test_what_is_lost_is_an_outage(line: Line, fault: Fault) -> None:
    line.kinds = (fault,)
    with pytest.raises(NodeDown):
        node_over(line).head()
    assert line.counts[fault] == 1


def test_the_answer_to_another_request_is_an_outage(line: Line) -> None:
    node = node_over(line)
    node.head()
    line.kinds = (Fault.SWAPPED,)
    with pytest.raises(NodeDown, match="an answer to request"):
        node.head()
    assert line.counts[Fault.SWAPPED] == 1


@pytest.mark.parametrize(
    ("fault", "in_pool"),
    [(Fault.DROPPED, 0), (Fault.LATE, 0), (Fault.TOO_MANY, 0), (Fault.UNANSWERED, 1),
     (Fault.CUT, 1)],
)  # fmt: skip
def test_an_outage_does_not_say_whether_it_was_done(
    bench: FakeBench, line: Line, fault: Fault, in_pool: int
) -> None:
    line.kinds = (fault,)
    with pytest.raises(NodeDown):
        account_over(line, bench).broadcast(transfer_of(bench))
    assert len(bench.chain.pool) == in_pool


def test_what_is_late_is_done_when_nobody_expects_it(bench: FakeBench, line: Line) -> None:
    line.kinds = (Fault.LATE,)
    with pytest.raises(NodeDown):
        account_over(line, bench).broadcast(transfer_of(bench))
    line.heal()
    node_over(line).head()
    assert len(bench.chain.pool) == 1


def test_a_broadcast_that_comes_twice_is_harmless(bench: FakeBench, line: Line) -> None:
    line.kinds = (Fault.TWICE,)
    account_over(line, bench).broadcast(transfer_of(bench))
    assert (line.counts[Fault.TWICE], len(bench.chain.pool)) == (1, 1)


def test_a_stale_node_does_not_know_the_newest_blocks(bench: FakeBench, line: Line) -> None:
    bench.mine()
    line.kinds = (Fault.STALE,)
    assert node_over(line).head().number < bench.chain.head.number
    line.heal()
    assert node_over(line).head().number == bench.chain.head.number


def in_no_block(entry: dict[str, Any], bench: FakeBench) -> bool:
    """Whether no block has this log."""
    fields = ("blockHash", "blockNumber", "logIndex", "topics", "data")
    true = bench.fake.get_logs({"fromBlock": "earliest"})
    return all(any(entry[field] != known[field] for field in fields) for known in true)


@pytest.mark.parametrize("fault", [Fault.LOGS_CHANGED, Fault.LOGS_MOVED])
def test_logs_that_no_block_has(bench: FakeBench, line: Line, fault: Fault) -> None:
    bench.funded()
    bench.funded()
    line.lies = (fault,)
    query = {"fromBlock": "earliest", "topics": [TOPICS]}
    answers = [line.perform(line.choose("eth_getLogs"), "eth_getLogs", [query]) for _ in range(20)]
    false = [a for a in answers if a and any(in_no_block(log, bench) for log in a["result"])]
    assert 0 < len(false) <= line.counts[fault] < 20


def test_heads_that_never_were(bench: FakeBench, line: Line) -> None:
    line.lies, true = (Fault.HEAD_INVENTED,), bench.chain.head.number
    assert {node_over(line).head().number > true for _ in range(20)} == {True, False}
    assert {node_over(line).header(true).number for _ in range(20)} == {true}


def test_blocks_of_tomorrow(bench: FakeBench, line: Line) -> None:
    line.lies, now = (Fault.FUTURE,), bench.chain.now
    assert {node_over(line).head().time for _ in range(20)} == {now, now + LIE_SECONDS}


def test_state_and_code_that_are_not_there(bench: FakeBench, line: Line) -> None:
    terms = bench.funded()
    order_id = "0x" + terms.order_id(bench.domain).hex()
    line.lies = (Fault.STATE_INVENTED, Fault.CODE_INVENTED)
    node = node_over(line)
    states = {node.escrow_state(bench.domain.escrow, order_id) for _ in range(40)}
    assert State() in states
    assert len(states) > 1
    assert {node.has_code(bench.vault(terms)) for _ in range(20)} == {True, False}


def test_transactions_that_were_never_sent(bench: FakeBench, line: Line) -> None:
    line.lies = (Fault.NONCE_WRONG,)
    assert {account_over(line, bench).transaction_count() for _ in range(40)} == {0, 1, 2, 3}


def test_figures_that_only_the_sender_reads(bench: FakeBench, line: Line) -> None:
    account = account_over(line, bench)
    coins, price = account.balance(), account.quote()["maxFeePerGas"]
    line.lies = (Fault.COINS_DENIED, Fault.FEES_WRONG, Fault.ESTIMATE_WRONG)
    assert {account.balance() for _ in range(20)} == {coins, 0}
    prices = {account.quote()["maxFeePerGas"] for _ in range(40)}
    assert len(prices) == 3
    assert min(prices) < price < max(prices)
    call = Call(bench.token, "0x" + calls.transfer(bench.token, 1).hex())
    assert {1, 30_000, 10**7} < {account.simulate(call) for _ in range(60)}


@pytest.mark.parametrize(
    ("fault", "logs"), [(Fault.EMPTY_LOGS, 0), (Fault.LOGS_OMITTED, 0), (Fault.LOGS_INVENTED, 2)]
)
def test_logs_that_are_not_the_blocks(
    bench: FakeBench, line: Line, fault: Fault, logs: int
) -> None:
    bench.funded()
    line.lies = (fault,)
    seen = [len(node_over(line).logs_of_block(bench.chain.head.hash, TOPICS)) for _ in range(20)]
    assert logs in seen
    assert line.counts[fault] == seen.count(logs) > 0


def test_a_balance_that_is_not_there(bench: FakeBench, line: Line) -> None:
    vault = bench.vault(bench.funded())
    line.lies = (Fault.BALANCE_INFLATED,)
    seen = {node_over(line).token_balance(bench.token, vault) for _ in range(20)}
    assert seen == {AMOUNT, AMOUNT + LIE_UNITS}


def test_receipts_that_are_not_the_chains(bench: FakeBench, line: Line) -> None:
    sent = bench.submit(bench.owner, bench.token, calls.transfer(bench.token, 1)).to_0x_hex()
    account = account_over(line, bench)
    line.lies = (Fault.RECEIPT_INVENTED,)
    assert any(account.receipt(sent) for _ in range(20))
    bench.mine()
    line.lies = (Fault.RECEIPT_DENIED,)
    assert not all(account.receipt(sent) for _ in range(20))


class Proxied:
    """A line of faults before anvil, over real sockets."""

    def __init__(self, real: AnvilBench) -> None:
        self.line = Line(forward(real.url), Random(1), rate=1.0)
        self.proxy = Proxy(self.line)


@pytest.fixture
def proxied(real: AnvilBench) -> Iterator[Proxied]:
    made = Proxied(real)
    with made.proxy:
        yield made


@pytest.mark.parametrize("fault", [*SILENT, *BROKEN])
def test_the_same_over_http(proxied: Proxied, fault: Fault) -> None:
    node = Node(proxied.proxy.url, "finalized")
    proxied.line.kinds = (fault,)
    with pytest.raises(NodeDown):
        node.head()
    assert proxied.line.counts[fault] == 1
    proxied.line.heal()
    assert node.head().number > 0


def test_answers_out_of_order_over_http(proxied: Proxied) -> None:
    proxied.line.rate = 0.0
    node = Node(proxied.proxy.url, "finalized")
    true = node.head()
    proxied.line.kinds, proxied.line.rate = (Fault.SWAPPED,), 1.0
    with pytest.raises(NodeDown, match="an answer to request"):
        node.head()
    assert proxied.line.counts[Fault.SWAPPED] == 1
    proxied.line.heal()
    assert node.head().number >= true.number


def test_no_logs_over_http(real: AnvilBench, proxied: Proxied) -> None:
    real.funded()
    node = Node(proxied.proxy.url, "finalized")
    head = node.head()
    assert len(node.logs_of_block(head.hash, TOPICS)) == 1
    proxied.line.kinds = (Fault.EMPTY_LOGS,)
    assert any(not node.logs_of_block(head.hash, TOPICS) for _ in range(20))
