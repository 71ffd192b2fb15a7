"""The fake chain answers as anvil with the real contracts, in all that the adapters rely on."""

from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from otc_sdk import calls
from otc_sdk.roles import Role
from web3.exceptions import Web3RPCError

from coordinator.domain.chain_logs import TOPICS, TRANSFER
from coordinator.services.ports import Call, NodeDown
from tests.chain import account_of
from tests.simulation.bench import AMOUNT, FEES, Bench
from tests.simulation.chain import bloom_bits

S, B, C, A = Role


# Blocks


def test_blocks_follow_their_parents(bench: Bench) -> None:
    node, before = bench.node(), bench.node().head()
    bench.mine()
    head = node.head()
    assert (head.number, head.parent_hash) == (before.number + 1, before.hash)
    assert head.time > before.time
    assert node.header(head.number) == head
    assert node.header(head.number + 1) is None


def test_the_finalized_tag_lags(bench: Bench) -> None:
    bench.mine()
    assert bench.node().final_head().number == bench.node().head().number - 2


def test_a_block_is_found_by_its_hash(bench: Bench) -> None:
    block: Any = bench.w3.eth.get_block("latest")
    assert bench.w3.eth.get_block(block["hash"])["number"] == block["number"]


def test_a_bloom_has_what_the_block_has(bench: Bench) -> None:
    terms = bench.funded()
    bloom = int.from_bytes(bench.w3.eth.get_block("latest")["logsBloom"], "big")
    vault = "0x" + bench.vault(terms)[2:].lower().rjust(64, "0")
    for value in (bench.token, TRANSFER, vault):
        assert bloom & bloom_bits(value) == bloom_bits(value)
    bench.mine()
    assert not any(bench.w3.eth.get_block("latest")["logsBloom"])


# Logs


def test_logs_of_a_block(bench: Bench) -> None:
    terms = bench.funded()
    head = bench.node().head()
    (log,) = bench.node().logs_of_block(head.hash, TOPICS)
    assert (log.block_hash, log.block_number, log.log_index) == (head.hash, head.number, 0)
    assert log.address == to_checksum_address(bench.token)
    assert log.topics[0] == TRANSFER
    assert int(log.data, 16) == AMOUNT
    assert log.topics[2][-40:] == bench.vault(terms)[2:].lower()
    assert bench.node().logs_of_block(head.hash, TOPICS[1:]) == []


def test_logs_of_an_unknown_block(bench: Bench) -> None:
    with pytest.raises(NodeDown):
        bench.node().logs_of_block("0x" + "12" * 32, TOPICS)


def test_logs_in_a_range_by_topic_and_address(bench: Bench) -> None:
    first = bench.node().head().number + 1
    terms = bench.funded()
    bench.send(bench.party(B), bench.domain.escrow, calls.dispute(terms, B))
    last = bench.node().head().number
    vault = "0x" + bench.vault(terms)[2:].lower().rjust(64, "0")

    def found(topics: list[Any], address: str | None, start: int = first, end: int = last) -> int:
        return len(bench.node().logs_in_range(start, end, topics, address))

    assert found([], None) == 2
    assert found([], bench.domain.escrow) == 1
    assert found([TRANSFER, None, [vault]], None) == 1
    assert found([TRANSFER, [vault]], None) == 0
    assert found([TOPICS], bench.token) == 1
    assert found([], None, first, first) == 1
    assert found([], None, last, last) == 1


# Transactions


def test_the_next_nonce_counts_what_is_mined(bench: Bench) -> None:
    account = bench.party(S)
    sender, before = bench.sender(account), bench.sender(account).transaction_count()
    bench.submit(account, bench.token, calls.transfer(account.address, 0))
    assert sender.transaction_count() == before
    assert bench.w3.eth.get_transaction_count(account.address, "pending") == before + 1
    bench.mine()
    assert sender.transaction_count() == before + 1
    head = bench.node().head().number
    assert sender.transaction_count(head - 1) == before


@pytest.mark.parametrize(
    ("after", "words"),
    [("the same again", "already"), ("a nonce that is used", "nonce too low")],
)
def test_refusals_that_leave_the_outcome_to_receipts(bench: Bench, after: str, words: str) -> None:
    account = bench.party(S)
    nonce = bench.w3.eth.get_transaction_count(account.address)
    data = calls.transfer(account.address, 0)
    bench.submit(account, bench.token, data, nonce)
    if after == "a nonce that is used":
        bench.mine()
        data = calls.transfer(bench.party(B).address, 0)
    with pytest.raises(Web3RPCError, match=words):
        bench.submit(account, bench.token, data, nonce)
    bench.mine()


def test_a_replacement_must_pay_more(bench: Bench) -> None:
    account = bench.party(S)
    nonce = bench.w3.eth.get_transaction_count(account.address)
    first = bench.submit(account, bench.token, calls.transfer(account.address, 0), nonce)
    other = calls.transfer(bench.party(B).address, 0)
    with pytest.raises(Web3RPCError, match="underpriced"):
        bench.submit(account, bench.token, other, nonce)
    dearer = {name: value * 1125 // 1000 for name, value in FEES.items()}
    second = bench.submit(account, bench.token, other, nonce, **dearer)
    bench.mine()
    sender = bench.sender(account)
    assert sender.receipt(first.to_0x_hex()) is None
    assert sender.receipt(second.to_0x_hex()) is not None


def test_a_nonce_ahead_waits(bench: Bench) -> None:
    account = bench.party(S)
    nonce = bench.w3.eth.get_transaction_count(account.address)
    data = calls.transfer(account.address, 0)
    ahead = bench.submit(account, bench.token, data, nonce + 1)
    bench.mine()
    assert bench.sender(account).receipt(ahead.to_0x_hex()) is None
    bench.submit(account, bench.token, data, nonce)
    bench.mine()
    assert bench.sender(account).receipt(ahead.to_0x_hex()) is not None


def test_a_poor_account_sends_nothing(bench: Bench) -> None:
    with pytest.raises(Web3RPCError, match=r"(?i)insufficient funds"):
        bench.submit(account_of("poor"), bench.token, calls.transfer(bench.token, 0))


def test_garbage_is_no_transaction(bench: Bench) -> None:
    with pytest.raises(Web3RPCError):
        bench.w3.eth.send_raw_transaction(b"\x02garbage")


def test_the_adapter_signs_and_broadcasts(bench: Bench) -> None:
    sender = bench.sender(bench.party(S))
    call = Call(bench.token, "0x" + calls.transfer(bench.party(B).address, 0).hex())
    gas = sender.simulate(call)
    assert 21_000 < gas < 100_000
    fees = sender.quote()
    assert fees["maxFeePerGas"] > fees["maxPriorityFeePerGas"] > 0
    nonce = sender.transaction_count("pending")
    signed_bytes = sender.sign(call, nonce, gas * 2, fees)
    sender.broadcast(signed_bytes.raw)
    sender.broadcast(signed_bytes.raw)
    assert sender.receipt(signed_bytes.tx_hash) is None
    bench.mine()
    receipt = sender.receipt(signed_bytes.tx_hash)
    assert receipt is not None
    assert receipt.succeeded
    head = bench.node().head()
    assert (receipt.block_number, receipt.block_hash) == (head.number, head.hash)
    assert sender.block_hash(head.number) == head.hash
    assert sender.block_hash(head.number + 1) is None
    assert 0 < receipt.fee_wei <= signed_bytes.max_fee_wei
    assert sender.balance() > 10**20


def test_a_reverted_transaction_has_a_receipt(bench: Bench) -> None:
    terms = bench.terms()
    receipt = bench.send(bench.party(B), bench.domain.escrow, calls.dispute(terms, B))
    assert (receipt["status"], receipt["logs"]) == (0, [])


def test_fees_are_known(bench: Bench) -> None:
    assert bench.w3.eth.gas_price > 0
    assert bench.w3.eth.max_priority_fee > 0
    history: Any = bench.w3.eth.fee_history(2, "latest", [10.0, 50.0])
    assert (len(history["baseFeePerGas"]), len(history["reward"])) == (3, 2)
    assert len(history["reward"][0]) == 2
    assert bench.w3.eth.get_balance(bench.party(S).address) > 10**20


# Reorgs


def test_a_reorg_takes_blocks_logs_and_balances_back(bench: Bench) -> None:
    terms = bench.funded()
    gone = bench.node().head()
    bench.reorg(1)
    bench.mine()
    now = bench.node().header(gone.number)
    assert now is not None
    assert now.hash != gone.hash
    assert now.parent_hash == gone.parent_hash
    assert bench.node().token_balance(bench.token, bench.vault(terms)) == 0
    found = bench.node().logs_in_range(gone.number, gone.number, [], None)
    assert found == []
