"""One key sends for everybody: no party may hold it up, empty it, or use it for something else."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from otc_sdk import calls

from coordinator.db.intents import Intent, Slot
from coordinator.db.session import transaction
from coordinator.domain import fees
from coordinator.domain.fees import CONTRACTS_PART_OF_DAY
from coordinator.services import sender_keys
from coordinator.services.ports import Call, NodeDown
from coordinator.workers.sender import (
    MAX_EXAMINING_SECONDS,
    MAX_INTENTS_PER_STEP,
    MAX_REVERTED_DISPUTES,
)
from tests.chain import account_of
from tests.findings.world import (
    COMPUTE_FOR_EVER,
    EVIL,
    SAY_YES,
    LiveWorld,
    burn_then_say_yes,
)
from tests.world import AMOUNT, ARBITRATOR, BUYER, SELLER

# About 13 million gas, and about half a million.
OVER_THE_GAS_LIMIT = burn_then_say_yes(3_600_000)
WITHIN_THE_GAS_LIMIT = burn_then_say_yes(448_000)


def hostile(live: LiveWorld, intents: int = 2) -> str:
    """An order whose seller is a contract and waits to have splits sent."""
    order_id = live.funded(seller=EVIL)
    with live.code(EVIL.address, SAY_YES):
        for units in range(1, intents + 1):
            live.split(order_id, units, EVIL)
    return order_id


@pytest.mark.parametrize("code", [COMPUTE_FOR_EVER, OVER_THE_GAS_LIMIT])
def test_a_signer_who_computes_for_ever_silences_nobody(live: LiveWorld, code: str) -> None:
    """Found: one intent that no node could simulate kept all others from being sent."""
    hostile(live)
    order_id = live.paid()
    live.open_dispute(order_id)
    with live.code(EVIL.address, code):
        live.carry()
    assert live.disputed(order_id)


def test_a_whole_step_of_hostile_intents_silences_nobody(live: LiveWorld) -> None:
    """Found: intents over the fee ceiling filled every step, and no other was looked at again."""
    hostile(live, MAX_INTENTS_PER_STEP)
    order_id = live.paid()
    live.split(order_id, 1)
    live.account.max_fee_wei = 500_000 * live.account.quote()["maxFeePerGas"]
    with live.code(EVIL.address, WITHIN_THE_GAS_LIMIT):
        live.carry(2)
    assert live.status(order_id) == "completed"


def test_disputes_go_first(live: LiveWorld) -> None:
    """Found: a queue of settlements could delay a dispute beyond the seller's refund window."""
    settled, disputed = live.funded(), live.paid()
    live.split(settled, 1)
    live.open_dispute(disputed)
    live.sender.step()
    first, second = live.intents_of(disputed)[0], live.intents_of(settled)[0]
    assert first.id is not None
    assert second.id is not None
    assert first.id > second.id
    assert nonce(live, first.id) < nonce(live, second.id)


def nonce(live: LiveWorld, intent_id: int) -> int:
    slot: Slot = live.get(Slot, live.get(Intent, intent_id).slot_id)
    return slot.nonce


def test_a_dispute_of_a_gas_burner_costs_nothing(live: LiveWorld) -> None:
    """Found: a contract's signature could burn half a block of the coordinator's gas."""
    order_id = live.funded(seller=EVIL)
    before = live.anvil.w3.eth.get_balance(live.gas.address)
    with live.code(EVIL.address, SAY_YES):
        live.open_dispute_as_contract(order_id)
    with live.code(EVIL.address, OVER_THE_GAS_LIMIT):
        live.carry(2)
    assert (live.intent(order_id).reason or "").startswith("TooExpensive")
    assert live.anvil.w3.eth.get_balance(live.gas.address) == before


def test_slow_signers_end_the_round_early(live: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found: nineteen contracts, each as slow as a node allows, before what was good was sent."""
    slow = [live.paid() for _ in range(3)]
    for order_id in slow:
        live.split(order_id, 1)

    def take_long(_: Call) -> int:
        live.ahead_seconds += MAX_EXAMINING_SECONDS + 1
        raise NodeDown("timed out")

    with monkeypatch.context() as node:
        node.setattr(live.account, "simulate", take_long)
        live.sender.step()
    assert [bool(live.intent(order_id).reason) for order_id in slow] == [True, False, False]
    live.carry_again()
    assert [live.status(order_id) for order_id in slow] == ["completed"] * 3


def test_slow_disputes_leave_time_for_settlements(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: disputes go first, and two slow ones kept every settlement from being looked at."""
    slow, order_id, real = live.paid(), live.paid(), live.account.simulate
    live.open_dispute(slow)
    live.split(order_id, 1)

    def take_long(call: Call) -> int:
        if call.data == live.intent(slow).data:
            live.ahead_seconds += MAX_EXAMINING_SECONDS + 1
            raise NodeDown("timed out")
        return real(call)

    with monkeypatch.context() as node:
        node.setattr(live.account, "simulate", take_long)
        live.carry()
    assert live.status(order_id) == "completed"


@pytest.mark.parametrize("cut", [
    keccak(text="Short(address,uint256,uint256)")[:4] + b"\x01",
    keccak(text="Error(string)")[:4] + encode(["bytes"], [b"\xff"]),
], ids=["an error", "a text"])  # fmt: skip
def test_a_refusal_that_cannot_be_read_ends_no_sender(live: LiveWorld, cut: bytes) -> None:
    """Found: whoever cut a token's or the escrow's own words ended the sender at each start."""
    order_id = live.paid()
    live.split(order_id, 1)
    # Code that reverts with these bytes: PUSH32 data, MSTORE, REVERT.
    words = cut.ljust(96, b"\0")
    store = "".join(f"7f{words[at : at + 32].hex()}60{at:02x}52" for at in range(0, 96, 32))
    with live.code(live.platform.token, f"0x{store}60{len(cut):02x}5ffd"):
        live.sender.step()
    assert "0x" + cut.hex() in (live.intent(order_id).reason or "")
    live.carry_again()
    assert live.status(order_id) == "completed"


def test_a_dispute_of_a_gas_burner_is_paid_from_the_day(live: LiveWorld) -> None:
    """Found: a hundred cheap orders, a million gas for each one's dispute, and no ceiling."""
    burner, honest = live.funded(seller=EVIL), live.paid()
    with live.code(EVIL.address, SAY_YES):
        live.open_dispute_as_contract(burner)
    live.open_dispute(honest)
    live.sender.max_day_fee_wei = 0
    with live.code(EVIL.address, WITHIN_THE_GAS_LIMIT):
        live.carry(2)
    assert (live.disputed(honest), live.disputed(burner)) == (True, False)
    assert "ceiling of a day" in (live.intent(burner).reason or "")


def test_a_contracts_cheap_dispute_waits_for_no_ceiling(live: LiveWorld) -> None:
    """A Safe that paid is defended whatever others' contracts have spent."""
    order_id = live.funded(seller=EVIL)
    live.sender.max_day_fee_wei = 0
    with live.code(EVIL.address, SAY_YES):
        live.open_dispute_as_contract(order_id)
        live.carry()
    assert live.disputed(order_id)


def test_what_reverts_again_and_again_is_its_traders_to_send(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: a signature that is good when tried and bad when mined could be signed anew for ever,
    and each time the coordinator paid.
    """
    monkeypatch.setattr("coordinator.workers.sender.MAX_REVERTED_SETTLEMENTS", 2)
    order_id = live.funded()
    for units in (1, 2):
        live.split(order_id, units)
        live.send_in_vain()
        live.mine()
        live.sender.step()
    live.split(order_id, 3)
    live.carry()
    assert live.intent(order_id).status == "obsolete"
    assert (live.intent(order_id).reason or "").startswith("TooOften")
    assert live.status(order_id) == "awaiting_payment"
    live.open_dispute(order_id)
    live.carry()
    assert live.disputed(order_id), "whom it defends did not make it dear"


def test_a_contract_uses_up_its_own_reverts_only(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: with ten settlements that revert, a trader's contract kept the arbitrator's ruling
    from being sent.
    """
    monkeypatch.setattr("coordinator.workers.sender.MAX_REVERTED_SETTLEMENTS", 1)
    order_id = live.funded(seller=EVIL)
    with live.code(EVIL.address, SAY_YES):
        live.split(order_id, 1, EVIL)
        live.send_in_vain()
        live.mine()
        live.sender.step()
        live.split(order_id, 2, EVIL)
        live.carry()
    assert (live.intent(order_id).reason or "").startswith("TooOften")
    live.open_dispute(order_id)
    live.carry()
    for account in (ARBITRATOR, BUYER):
        live.sign_settlement(order_id, account, AMOUNT, live.now + 3600)
    live.carry()
    assert live.status(order_id) == "completed"


def test_what_contracts_sign_has_a_part_of_the_day(live: LiveWorld) -> None:
    """Found: two colluding contracts, whose settlements all revert, could spend the whole day's
    fees, and everybody else waited for tomorrow.
    """
    burner, order_id = live.funded(seller=EVIL), live.paid()
    with live.code(EVIL.address, SAY_YES):
        live.split(burner, 1, EVIL)
        live.split(order_id, 1)
        live.sender.max_day_fee_wei = 500_000 * fees.price(live.account.quote())
        live.carry(2)
        assert (live.status(order_id), live.intent(burner).status) == ("completed", "pending")
        assert "ceiling of contracts' signatures a day" in (live.intent(burner).reason or "")
        live.sender.max_day_fee_wei *= CONTRACTS_PART_OF_DAY
        live.carry_again()
    assert live.status(burner) == "completed"


def test_disputes_that_revert_are_not_paid_for_ever(live: LiveWorld) -> None:
    """Found: a dispute that was good when tried and reverted when mined was sent fifty times, past
    every ceiling, until no key had coins for the others' defence.
    """
    order_id = live.paid()
    for _ in range(MAX_REVERTED_DISPUTES):
        live.open_dispute(order_id)
        live.send_in_vain()
        live.mine()
        live.sender.step()
    live.open_dispute(order_id)
    live.carry()
    assert not live.disputed(order_id)
    assert (live.intent(order_id).reason or "").startswith("TooOften")
    live.open_dispute(order_id, SELLER)
    live.carry()
    assert live.disputed(order_id), "the other trader's are counted apart"


def test_a_node_that_counts_wrong_once_empties_no_key(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: of a gap as long as the node said, every nonce was filled and paid for."""
    count = live.account.transaction_count
    live.split(live.paid(), 1)
    with monkeypatch.context() as lie:
        lie.setattr(live.account, "transaction_count", lambda _="latest": count() + 1000)
        live.sender.step()
    today = live.account.quote()
    live.sender.flight.max_day_fee_wei = 5 * fees.usual_wei(today)
    for _ in range(5):
        live.carry()
    with transaction(live.engine) as session:
        day = sender_keys.fees_of_day(session, live.platform.domain.chain_id, live.now)
    assert not day.over(0, live.sender.flight.max_day_fee_wei)


def test_a_node_that_counts_absurdly_ends_no_key(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: what had got a nonce far ahead was never mined, nor anything after it."""
    first, second = live.paid(), live.paid()
    live.split(first, 1)
    live.carry()
    live.split(second, 1)
    with monkeypatch.context() as lie:
        lie.setattr(live.account, "transaction_count", lambda _="latest": 10**9)
        live.sender.step()
    assert live.intent(second).status == "pending"
    live.carry_again()
    assert live.status(second) == "completed"


def test_what_is_over_the_fee_ceiling_waits_alone(live: LiveWorld) -> None:
    """Found: a transaction dearer than the ceiling ended the step for all that came after it."""
    dear = hostile(live)
    order_id = live.paid()
    live.split(order_id, 1)
    live.account.max_fee_wei = 500_000 * live.account.quote()["maxFeePerGas"]
    with live.code(EVIL.address, WITHIN_THE_GAS_LIMIT):
        live.carry()
    assert live.status(order_id) == "completed"
    assert {intent.status for intent in live.intents_of(dear)} == {"pending"}


def test_the_key_calls_the_escrow_only(live: LiveWorld) -> None:
    """Found: whoever could write an intent could send the key's own tokens anywhere."""
    order_id, thief = live.funded(), account_of("thief").address
    live.anvil.send(live.owner, live.platform.token, calls.transfer(live.gas.address, AMOUNT))
    theft = Intent(
        key="theft", chain_id=live.platform.domain.chain_id, order_id=order_id,
        to=live.platform.token, data="0x" + calls.transfer(thief, AMOUNT).hex(),
        status="pending", created_at=0,
    )  # fmt: skip
    with transaction(live.engine) as session:
        session.add(theft)
    live.carry()
    assert live.intent(order_id).status == "obsolete"
    assert live.tokens(thief) == 0


def test_an_intent_whose_nonce_was_used_elsewhere_gets_another(live: LiveWorld) -> None:
    """Found: once the key was used elsewhere, the intent with that nonce was never sent."""
    order_id = live.paid()
    with live.held_back():
        live.open_dispute(order_id)
        live.sender.step()
        live.anvil.rpc("anvil_dropAllTransactions")
    live.anvil.send(live.gas, BUYER.address, b"")
    live.mine()
    live.carry(2)
    assert live.disputed(order_id)
    assert "nonce_lost" in live.events(order_id)
