"""The fake chain's token and escrow do as the real contracts on anvil do."""

from typing import Any

import pytest
from eth_abi.abi import decode
from eth_utils.address import to_checksum_address
from otc_sdk import calls, messages
from otc_sdk.calls import explain_revert
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from web3.exceptions import ContractLogicError

from coordinator.services.ports import Call, Reverted
from tests.simulation.bench import AMOUNT, GAS, Bench, issuer_call

S, B, C, A = Role


def signed(bench: Bench, terms: Terms, units: int, until: int, *roles: Role) -> dict[Role, bytes]:
    message = messages.settlement(bench.domain, terms.order_id(bench.domain), units, until)
    return {role: messages.sign(bench.party(role), message) for role in roles}


def settlement(bench: Bench, terms: Terms, units: int, *roles: Role, until: int = 2**40) -> bytes:
    return calls.settle(terms, units, until, signed(bench, terms, units, until, *roles))


def refusal(bench: Bench, data: bytes, by: Role | None = None) -> str:
    """The error that a stranger, or a party, sees before it sends."""
    account = bench.owner if by is None else bench.party(by)
    with pytest.raises(Reverted) as refused:
        bench.sender(account).simulate(Call(bench.domain.escrow, "0x" + data.hex()))
    return str(refused.value).partition("(")[0]


def events(receipt: Any) -> list[tuple[str, list[str], str]]:
    return [
        (log["address"], [t.to_0x_hex() for t in log["topics"]], log["data"].to_0x_hex())
        for log in receipt["logs"]
    ]


def balances(bench: Bench, *owners: str) -> list[int]:
    return [bench.node().token_balance(bench.token, owner) for owner in owners]


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
        bench.sender(poor).simulate(Call(bench.token, "0x" + data.hex()))


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
    bench.sender(bench.owner).simulate(Call(bench.domain.escrow, "0x" + judged.hex()))
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


def test_a_batch_is_tried_before_it_is_sent(bench: Bench) -> None:
    good, bad = bench.funded(), bench.terms()
    items = [(t, AMOUNT, 2**40, signed(bench, t, AMOUNT, 2**40, S, C)) for t in (bad, good)]
    call = Call(bench.domain.escrow, "0x" + calls.settle_batch(items).hex())
    trial = bench.sender(bench.owner).try_batch(call, GAS)
    assert trial is not None
    assert trial.settled == {"0x" + good.order_id(bench.domain).hex()}
    assert 21_000 < trial.gas_used < 400_000
    assert not bench.node().has_code(bench.vault(good))


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
