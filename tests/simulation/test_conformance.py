"""The fake chain answers as anvil with the real contracts, in all that the adapters rely on."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from otc_sdk import calls, messages
from otc_sdk.calls import explain_revert
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from web3.exceptions import ContractLogicError, Web3RPCError

from coordinator.domain.chain_logs import TOPICS, TRANSFER
from coordinator.services.ports import NodeDown, Reverted
from tests.chain import account_of
from tests.simulation.bench import (
    AMOUNT,
    FEES,
    AnvilBench,
    FakeBench,
    anvil_bench,
    issuer_call,
)
from tests.simulation.chain import bloom_bits

Bench = FakeBench | AnvilBench
S, B, C, A = Role


@pytest.fixture(scope="module")
def real() -> Iterator[AnvilBench]:
    with anvil_bench() as bench:
        yield bench


@pytest.fixture(params=["fake", "anvil"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "fake":
        return FakeBench()
    made: AnvilBench = request.getfixturevalue("real")
    return made


def signed(bench: Bench, terms: Terms, units: int, until: int, *roles: Role) -> dict[Role, bytes]:
    message = messages.settlement(bench.domain, terms.order_id(bench.domain), units, until)
    return {role: messages.sign(bench.party(role), message) for role in roles}


def settlement(bench: Bench, terms: Terms, units: int, *roles: Role, until: int = 2**40) -> bytes:
    return calls.settle(terms, units, until, signed(bench, terms, units, until, *roles))


def refusal(bench: Bench, data: bytes, by: Role | None = None) -> str:
    """The error that a stranger, or a party, sees before it sends."""
    account = bench.owner if by is None else bench.party(by)
    with pytest.raises(Reverted) as refused:
        bench.sender(account).simulate(bench.domain.escrow, "0x" + data.hex())
    return str(refused.value).partition("(")[0]


def events(receipt: Any) -> list[tuple[str, list[str], str]]:
    return [
        (log["address"], [t.to_0x_hex() for t in log["topics"]], log["data"].to_0x_hex())
        for log in receipt["logs"]
    ]


def balances(bench: Bench, *owners: str) -> list[int]:
    return [bench.node().token_balance(bench.token, owner) for owner in owners]


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
    data = "0x" + calls.transfer(bench.party(B).address, 0).hex()
    gas = sender.simulate(bench.token, data)
    assert 21_000 < gas < 100_000
    signed_bytes = sender.sign(bench.token, data, sender.transaction_count(), gas * 2, None)
    sender.broadcast(signed_bytes.raw)
    sender.broadcast(signed_bytes.raw)
    assert sender.receipt(signed_bytes.tx_hash) is None
    bench.mine()
    receipt = sender.receipt(signed_bytes.tx_hash)
    assert receipt is not None
    assert receipt.succeeded
    head = bench.node().head()
    assert (receipt.block_number, receipt.block_hash) == (head.number, head.hash)


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


# The token and the vault


def test_balances_at_a_block(bench: Bench) -> None:
    terms = bench.funded()
    head = bench.node().head().number
    bench.fund(terms, 5)
    vault = bench.vault(terms)
    assert bench.node().token_balance(bench.token, vault, head - 1) == 0
    assert bench.node().token_balance(bench.token, vault, head) == AMOUNT
    assert bench.node().token_balance(bench.token, vault) == AMOUNT + 5


def test_more_than_there_is_does_not_move(bench: Bench) -> None:
    poor = bench.party(A)
    data = calls.transfer(bench.token, 1)
    with pytest.raises(Reverted):
        bench.sender(poor).simulate(bench.token, "0x" + data.hex())


def test_code_is_where_contracts_are(bench: Bench) -> None:
    terms = bench.funded()
    assert bench.node().has_code(bench.domain.escrow)
    assert bench.node().has_code(bench.token)
    assert not bench.node().has_code(bench.vault(terms))
    assert not bench.node().has_code(bench.party(S).address)
    bench.send(bench.owner, bench.domain.escrow, settlement(bench, terms, 0, S, B))
    assert bench.node().has_code(bench.vault(terms))


def test_an_account_without_code_has_no_contract_signature(bench: Bench) -> None:
    assert not bench.node().verify_1271(bench.party(S).address, b"\1" * 32, b"\1" * 65)


# The escrow


def test_a_release_pays_buyer_fee_and_seller(bench: Bench) -> None:
    terms = bench.funded()
    bench.fund(terms, 7)
    people = (terms.buyer, terms.fee_recipient, terms.seller)
    before = balances(bench, *people)
    data = settlement(bench, terms, AMOUNT, S, C)
    receipt = bench.send(bench.owner, bench.domain.escrow, data)
    gains = [b - a for a, b in zip(before, balances(bench, *people), strict=True)]
    assert gains == [AMOUNT - terms.fee_units, terms.fee_units, 7]
    order_id = "0x" + terms.order_id(bench.domain).hex()
    log = events(receipt)[-1]
    assert len(events(receipt)) == 4
    assert log[0] == bench.domain.escrow
    assert log[1][1] == order_id
    assert log[2] == "0x" + (5).to_bytes(32, "big").hex() + AMOUNT.to_bytes(32, "big").hex()


def test_a_split_rounds_the_fee_down(bench: Bench) -> None:
    terms = bench.funded()
    before = balances(bench, terms.buyer, terms.fee_recipient)
    bench.send(bench.owner, bench.domain.escrow, settlement(bench, terms, 399, S, B))
    after = balances(bench, terms.buyer, terms.fee_recipient)
    assert [b - a for a, b in zip(before, after, strict=True)] == [398, 1]


def test_the_sender_counts_as_signer(bench: Bench) -> None:
    terms = bench.funded()
    data = settlement(bench, terms, 1, B)
    assert bench.send(bench.party(S), bench.domain.escrow, data)["status"] == 1


@pytest.mark.parametrize(
    ("units", "roles", "until", "words"),
    [
        (AMOUNT, (S, C), 1, "Expired"),
        (AMOUNT + 1, (S, B), 2**40, "ExceedsAmount"),
        (AMOUNT, (B, C), 2**40, "NotAllowed"),
        (0, (S, C), 2**40, "NotAllowed"),
        (1, (A, B), 2**40, "NotAllowed"),
        (1, (A, C), 2**40, "NotAllowed"),
    ],
)
def test_settlements_that_the_escrow_refuses(
    bench: Bench, units: int, roles: tuple[Role, ...], until: int, words: str
) -> None:
    data = settlement(bench, bench.funded(), units, *roles, until=until)
    assert refusal(bench, data) == words


def test_settling_twice(bench: Bench) -> None:
    terms = bench.funded()
    data = settlement(bench, terms, AMOUNT, S, C)
    bench.send(bench.owner, bench.domain.escrow, data)
    assert refusal(bench, data) == "AlreadySettled"
    bench.fund(terms)
    assert refusal(bench, data) == "AlreadySettled"


def test_a_short_vault(bench: Bench) -> None:
    terms = bench.terms()
    bench.fund(terms, AMOUNT - 1)
    escrow = bench.domain.escrow
    assert refusal(bench, settlement(bench, terms, AMOUNT, S, C)) == "Short"
    assert refusal(bench, settlement(bench, terms, AMOUNT, S, B)) == "Short"
    data = settlement(bench, terms, AMOUNT - 1, S, B)
    assert bench.send(bench.owner, escrow, data)["status"] == 1


def test_an_empty_vault_is_refunded(bench: Bench) -> None:
    terms = bench.terms()
    data = settlement(bench, terms, 0, B, C)
    receipt = bench.send(bench.owner, bench.domain.escrow, data)
    assert (receipt["status"], len(receipt["logs"])) == (1, 1)


def test_a_wrong_signature(bench: Bench) -> None:
    terms = bench.funded()
    wrong = signed(bench, terms, AMOUNT, 2**40, B)[B]
    data = calls.settle(terms, AMOUNT, 2**40, {S: wrong})
    assert refusal(bench, data) == "InvalidSignature"


def test_unusable_terms_only_go_back(bench: Bench) -> None:
    terms = bench.funded(fee_units=AMOUNT)
    assert refusal(bench, settlement(bench, terms, AMOUNT, S, B)) == "NotAllowed"
    assert refusal(bench, calls.dispute(terms, B), B) == "InvalidTerms"
    data = calls.settle(terms, 0, 2**40, {})
    assert bench.send(bench.party(A), bench.domain.escrow, data)["status"] == 1


def test_a_refund_request_then_its_window(bench: Bench) -> None:
    terms = bench.funded()
    request = calls.request_refund(terms)
    assert refusal(bench, request, S) == "TooEarly"
    bench.mine(terms.pay_by)
    assert refusal(bench, request, B) == "InvalidSignature"
    receipt = bench.send(bench.party(S), bench.domain.escrow, request, terms.pay_by + 10)
    assert len(receipt["logs"]) == 1
    assert refusal(bench, request, S) == "AlreadyRequested"
    alone = calls.settle(terms, 0, 2**40, {})
    assert refusal(bench, alone, S) == "NotAllowed"
    bench.mine(terms.pay_by + 10 + 600)
    assert bench.send(bench.party(S), bench.domain.escrow, alone)["status"] == 1
    assert refusal(bench, request, S) == "AlreadySettled"


def test_a_dispute_then_its_windows(bench: Bench) -> None:
    terms = bench.funded()
    by_message = messages.sign(
        bench.party(B), messages.dispute(bench.domain, terms.order_id(bench.domain))
    )
    data = calls.dispute(terms, B, by_message)
    receipt = bench.send(bench.owner, bench.domain.escrow, data)
    at = bench.now()
    assert events(receipt)[0][2] == "0x" + int(B).to_bytes(32, "big").hex()
    assert refusal(bench, data) == "AlreadyDisputed"
    bench.mine(terms.pay_by)
    assert refusal(bench, calls.request_refund(terms), S) == "AlreadyDisputed"
    judged = settlement(bench, terms, 5, C, B)
    assert refusal(bench, settlement(bench, terms, 5, C)) == "NotAllowed"
    bench.mine(at + 3600)
    bench.sender(bench.owner).simulate(bench.domain.escrow, "0x" + judged.hex())
    default = calls.settle(terms, AMOUNT // 2, 2**40, {})
    assert refusal(bench, default) == "NotAllowed"
    bench.mine(at + 7200)
    assert bench.send(bench.owner, bench.domain.escrow, default)["status"] == 1


def test_disputes_that_the_escrow_refuses(bench: Bench) -> None:
    terms = bench.terms()
    assert refusal(bench, calls.dispute(terms, B), B) == "Short"
    assert refusal(bench, calls.dispute(terms, C), C) == "NotATrader"
    assert refusal(bench, calls.dispute(bench.funded(), S), B) == "InvalidSignature"
    settled = bench.funded()
    bench.send(bench.owner, bench.domain.escrow, settlement(bench, settled, 0, S, B))
    assert refusal(bench, calls.dispute(settled, B), B) == "AlreadySettled"


def test_a_batch_keeps_its_failures_apart(bench: Bench) -> None:
    good, bad = bench.funded(), bench.terms()
    items = [(t, AMOUNT, 2**40, signed(bench, t, AMOUNT, 2**40, S, C)) for t in (bad, good)]
    receipt = bench.send(bench.owner, bench.domain.escrow, calls.settle_batch(items))
    assert receipt["status"] == 1
    failed, *_, done = events(receipt)
    assert failed[1][1:] == ["0x" + "00" * 32, "0x" + bad.order_id(bench.domain).hex()]
    assert done[1][1] == "0x" + good.order_id(bench.domain).hex()
    (reason,) = decode(["bytes"], bytes.fromhex(failed[2][2:]))
    assert explain_revert(reason).startswith("Short(")
    assert bench.node().has_code(bench.vault(good))
    assert not bench.node().has_code(bench.vault(bad))


def test_a_frozen_vault_pays_nothing_and_can_try_again(bench: Bench) -> None:
    terms = bench.funded()
    vault, data = bench.vault(terms), settlement(bench, terms, AMOUNT, S, C)
    bench.send(bench.owner, bench.token, issuer_call("addBlackList", vault))
    assert refusal(bench, data) == "NothingPaid"
    bench.send(bench.owner, bench.token, issuer_call("removeBlackList", vault))
    assert bench.send(bench.owner, bench.domain.escrow, data)["status"] == 1


def test_late_tokens_are_swept_to_the_seller(bench: Bench) -> None:
    terms = bench.funded()
    sweep = calls.sweep(terms, bench.token)
    assert refusal(bench, sweep) == "NotSettled"
    bench.send(bench.owner, bench.domain.escrow, settlement(bench, terms, AMOUNT, S, C))
    assert refusal(bench, sweep) == "NothingToSweep"
    bench.fund(terms, 9)
    before = balances(bench, terms.seller)
    receipt = bench.send(bench.owner, bench.domain.escrow, sweep)
    assert balances(bench, terms.seller) == [before[0] + 9]
    assert len(receipt["logs"]) == 2


def test_nobody_has_a_claim(bench: Bench) -> None:
    terms = bench.funded()
    assert refusal(bench, calls.claim(terms, terms.seller), S) == "NoClaim"


def test_the_state_of_an_order(bench: Bench) -> None:
    terms = bench.funded()
    bench.send(bench.party(B), bench.domain.escrow, calls.dispute(terms, B))
    data = calls.call("stateOf(bytes32)", terms.order_id(bench.domain))
    answer = bench.w3.eth.call({"to": bench.domain.escrow, "data": "0x" + data.hex()})  # type: ignore[typeddict-item]
    assert bytes(answer) == (0).to_bytes(32, "big") + bench.now().to_bytes(32, "big")
    data = calls.call("vaultOf(bytes32)", terms.order_id(bench.domain))
    answer = bench.w3.eth.call({"to": bench.domain.escrow, "data": "0x" + data.hex()})  # type: ignore[typeddict-item]
    assert to_checksum_address(bytes(answer)[12:]) == bench.vault(terms)


def test_the_escrow_has_no_other_verbs(bench: Bench) -> None:
    with pytest.raises(ContractLogicError):
        bench.w3.eth.call({"to": bench.domain.escrow, "data": "0x12345678"})  # type: ignore[typeddict-item]


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
