"""What one node refuses now is over only when the final chain says so."""

from dataclasses import replace

import pytest
from otc_sdk.chain import explain
from web3.exceptions import ContractLogicError

from coordinator.domain.gas import MAX_GAS
from coordinator.services.ports import Receipt, Reverted
from coordinator.workers.sender import MAX_RETRY_SECONDS, RETRY_REFUSED_SECONDS
from tests.sending.world import SendingWorld
from tests.world import AMOUNT, BUYER, SELLER, STRANGER


def test_a_settlement_by_others_that_is_reorged_away(live: SendingWorld) -> None:
    """Found: ours was dropped as settled already, and the order never ended."""
    [order_id] = live.agreed()
    live.settle_directly(order_id)
    live.sender.step()
    assert live.intent(order_id).reason.startswith("AlreadySettled")
    live.anvil.rpc("anvil_rollback", 1)
    live.anvil.rpc("anvil_dropAllTransactions")
    live.later(2 * RETRY_REFUSED_SECONDS)
    live.carry(2)
    assert live.status(order_id) == "completed"
    assert [intent.status for intent in live.intents()] == ["final"]


def test_a_settlement_by_others_that_stays(live: SendingWorld) -> None:
    [order_id] = live.agreed()
    live.settle_directly(order_id)
    live.mine()
    live.carry()
    assert live.status(order_id) == "completed"
    assert [intent.status for intent in live.intents()] == ["obsolete"]


LIES = ["AlreadySettled()", "AlreadyDisputed()", "Expired()", "ExceedsAmount()", "InvalidTerms()"]


@pytest.mark.parametrize("lie", LIES)
def test_a_node_that_says_it_is_over(
    live: SendingWorld, lie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: one node's word ended an intent, and with it a settlement or a buyer's defence."""

    def refuse(_: object) -> int:
        raise Reverted(lie)

    settling = live.agreed()
    disputing = live.funded()
    live.open_dispute(disputing)
    with monkeypatch.context() as patch:
        patch.setattr(live.account, "simulate", refuse)
        live.sender.step()
    assert [intent.status for intent in live.intents()] == ["pending", "pending"]
    live.carry_again()
    assert live.status(settling[0]) == "completed"
    assert live.disputed(disputing)


def test_a_node_that_makes_a_defence_too_dear(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: it dropped the watchtower's dispute fifty times in a minute, and then there was no
    other for ever.
    """
    order_id = live.funded()
    live.open_dispute(order_id)
    with monkeypatch.context() as patch:
        patch.setattr(live.account, "simulate", lambda _: 10 * MAX_GAS)
        for _ in range(3):
            live.sender.step()
            live.later(RETRY_REFUSED_SECONDS)
    assert [intent.status for intent in live.intents()] == ["pending"]
    live.carry_again()
    assert live.disputed(order_id)


def test_where_estimates_hold_the_cost_of_data_more_gas_is_allowed(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: on such a chain every settlement was too dear for good."""
    monkeypatch.setattr(live.account, "simulate", lambda _: MAX_GAS)
    live.agreed()
    live.carry()
    assert [intent.status for intent in live.intents()] == ["obsolete"]
    live.sender.max_gas = 2 * MAX_GAS
    [order_id] = live.agreed()
    live.carry()
    assert live.status(order_id) == "completed"


def test_an_expired_settlement_gives_its_order_back(live: SendingWorld) -> None:
    """The final chain's time says so, and the order is where it was."""
    [order_id] = live.agreed()
    live.order_token("pause")
    live.sender.step()
    live.mine(at=live.now + 3600)
    live.carry_again()
    assert live.intent(order_id).status == "obsolete"
    assert live.status(order_id) == "awaiting_payment"


def test_a_refund_that_fails_asks_nobody_to_pay(live: SendingWorld) -> None:
    """Found: a late deposit's refund that failed made its called-off order one to be paid."""
    order_id = live.late()
    live.sign_settlement(order_id, BUYER, 0, live.now + 3600)
    live.keeper.step()
    live.order_token("pause")
    live.sender.step()
    assert live.status(order_id) == "awaiting_refund"
    live.mine(at=live.now + 3600)
    live.carry_again()
    assert live.status(order_id) == "expired"


def test_what_is_refused_for_long_is_tried_less_and_less(live: SendingWorld) -> None:
    """Found: every refused intent was simulated four times a minute for up to thirty days."""
    order_id = live.funded()
    until = live.now + 20 * 86_400
    for account in (SELLER, BUYER):
        live.sign_settlement(order_id, account, AMOUNT, until)
    live.order_token("pause")
    waits = []
    for _ in range(60):
        live.sender.step()
        waits.append(live.intent(order_id).try_after - live.now)
        live.later(waits[-1])
    assert waits[0] == RETRY_REFUSED_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == MAX_RETRY_SECONDS


def test_a_receipt_that_one_node_made_up(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: receipt and block both came from one node, and its word ended the transaction."""
    live.agreed()
    live.sender.step()
    live.mine()
    true, false = live.account.receipt, "0x" + "11" * 32

    def made_up(tx_hash: str) -> Receipt | None:
        found = true(tx_hash)
        return None if found is None else replace(found, block_hash=false, succeeded=False)

    with monkeypatch.context() as lie:
        lie.setattr(live.account, "receipt", made_up)
        lie.setattr(live.account, "block_hash", lambda _: false)
        live.sender.step()
    assert [intent.status for intent in live.intents()] == ["mined"]
    live.carry()
    assert [intent.status for intent in live.intents()] == ["final"]
    assert live.statuses() == ["completed"]


def test_a_success_that_only_a_receipt_knows(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: a made-up success in a true final block was final, and what no block had was never
    sent again.
    """
    live.agreed()
    with live.held_back():
        live.sender.step()
        [attempt] = live.attempts()
        live.anvil.rpc("anvil_dropAllTransactions")
        live.mine_final()
    live.read()
    final = live.chain.final_head()
    made_up = Receipt(attempt.tx_hash, final.number, final.hash, True, 21_000)
    with monkeypatch.context() as lie:
        lie.setattr(live.account, "receipt", lambda _: made_up)
        lie.setattr(live.account, "transaction_count", lambda _="latest": 1)
        live.sender.step()
    assert [intent.status for intent in live.intents()] == ["sent"]
    live.later(60)
    live.carry(2)
    assert live.statuses() == ["completed"]


@pytest.mark.parametrize("data", ["0x123", "0xzz"])
def test_a_refusal_that_is_no_hex(data: str) -> None:
    """Found: it ended the sender with all its keys."""
    assert "execution reverted" in explain(ContractLogicError("execution reverted", data=data))


def test_a_gap_that_a_node_refuses_to_fill(
    live: SendingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: it ended the sender, and with it what else was in flight."""

    def refuse(_: object) -> int:
        raise Reverted("no")

    [order_id] = live.agreed()
    with live.held_back():
        live.push(live.gas, STRANGER.address, b"", 10**9)
        live.sender.step()
        live.anvil.rpc("anvil_dropAllTransactions")
        with monkeypatch.context() as lie:
            lie.setattr(live.account, "simulate", refuse)
            live.sender.step()
        assert len(live.slots()) == 1
        live.later(RETRY_REFUSED_SECONDS)
        live.sender.step()
        live.mine()
    live.carry()
    assert live.status(order_id) == "completed"
