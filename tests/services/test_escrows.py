"""Deposits, disputes and settlements as the chain tells them."""

import pytest
from sqlmodel import Session

from coordinator.domain.escrows import Condition, condition
from coordinator.domain.ledger import vault_account, wallet_account
from coordinator.services import ledger
from tests.chain import account_of
from tests.fake_chain import transfer
from tests.world import AMOUNT, BUYER, SELLER, TOTAL, World

OTHER_TOKEN = account_of("another token").address


@pytest.fixture
def order_id(world: World) -> str:
    """Both traders have signed; the vault is empty."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    return order_id


def balance(world: World, account: str, token: str | None = None) -> int:
    with Session(world.engine) as session:
        return ledger.balance(session, account, token or world.platform.token)


def condition_of(world: World, order_id: str) -> Condition:
    return condition(world.escrow(order_id).seen_units, AMOUNT)


# What does not make the buyer pay


def test_a_deposit_that_can_vanish(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id), final=False)
    escrow = world.escrow(order_id)
    assert (escrow.seen_units, escrow.final_units) == (AMOUNT, 0)
    assert world.status(order_id) == "pending"
    assert balance(world, vault_account(order_id)) == 0


def test_a_short_deposit(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id, AMOUNT - 1))
    assert condition_of(world, order_id) is Condition.SHORT
    assert world.status(order_id) == "pending"


def test_a_late_deposit(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id), at=world.order(order_id).fund_by)
    assert condition_of(world, order_id) is Condition.FUNDED
    assert world.status(order_id) == "pending"
    assert world.expire() == 1


def test_a_late_top_up(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id, AMOUNT - 1))
    world.mine(world.deposit(order_id, 1), at=world.order(order_id).fund_by)
    assert world.status(order_id) == "pending"


def test_the_wrong_token(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id, token=OTHER_TOKEN))
    escrow = world.escrow(order_id)
    assert (escrow.wrong_token, escrow.seen_units) == (True, 0)
    assert world.status(order_id) == "pending"
    assert balance(world, vault_account(order_id), OTHER_TOKEN) == AMOUNT


@pytest.mark.parametrize("signed", [[], [SELLER], [BUYER]], ids=["none", "seller", "buyer"])
def test_a_deposit_before_both_have_signed(world: World, signed: list[object]) -> None:
    order_id = world.place(world.post_ad())
    if signed:
        world.sign_terms(order_id, *signed)  # type: ignore[arg-type]
    world.mine(world.deposit(order_id))
    assert world.status(order_id) == "pending"
    world.sign_terms(order_id)
    assert world.status(order_id) == "awaiting_payment"


def test_a_deposit_to_another_vault(world: World, order_id: str) -> None:
    other = world.place()
    world.mine(world.deposit(other))
    assert world.escrow(order_id).seen_units == 0


# What does


@pytest.mark.parametrize("surplus", [0, 1, AMOUNT])
def test_the_amount_or_more_in_time(world: World, order_id: str, surplus: int) -> None:
    world.mine(world.deposit(order_id, AMOUNT + surplus), at=world.order(order_id).fund_by - 1)
    expected = Condition.SURPLUS if surplus else Condition.FUNDED
    assert condition_of(world, order_id) is expected
    assert world.status(order_id) == "awaiting_payment"


def test_a_top_up_in_time(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id, AMOUNT - 1))
    world.mine(world.deposit(order_id, 1))
    assert world.status(order_id) == "awaiting_payment"


def test_a_deposit_seen_then_final(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id), final=False)
    world.mine()
    assert world.status(order_id) == "awaiting_payment"
    assert world.events(order_id).count("deposit_final") == 1


# Reorgs


def test_a_reorged_deposit_never_happened(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id), final=False)
    world.chain.reorg(1)
    world.mine()
    assert condition_of(world, order_id) is Condition.EMPTY
    assert world.status(order_id) == "pending"
    world.withdraw(order_id)


def test_a_deposit_in_another_block_after_a_reorg_counts_once(world: World, order_id: str) -> None:
    world.mine(world.deposit(order_id), final=False)
    world.chain.reorg(1)
    world.mine()
    world.mine(world.deposit(order_id))
    assert world.escrow(order_id).final_units == AMOUNT
    assert world.status(order_id) == "awaiting_payment"
    assert balance(world, vault_account(order_id)) == AMOUNT


# The ends


def test_seen_is_not_the_end(world: World) -> None:
    order_id = world.paid()
    world.mine(world.settled(order_id, AMOUNT), final=False)
    assert world.escrow(order_id).settled_tx
    assert world.status(order_id) == "paid"
    world.chain.reorg(1)
    world.mine()
    assert world.escrow(order_id).settled_tx == ""


@pytest.mark.parametrize("to_buyer", [1, AMOUNT // 2, AMOUNT])
def test_a_final_settlement_completes(world: World, to_buyer: int) -> None:
    order_id = world.paid()
    world.mine(world.settled(order_id, to_buyer))
    world.mine()
    assert world.status(order_id) == "completed"
    assert world.events(order_id).count("paid_out") == 1


def test_a_final_refund_cancels_and_gives_the_amount_back_once(world: World) -> None:
    ad_id = world.post_ad()
    order_id = world.funded(ad_id)
    assert world.available(ad_id) == TOTAL - AMOUNT
    world.mine(world.settled(order_id, 0))
    world.mine()
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)


@pytest.mark.parametrize("way", ["agreed", "disputed", "at once"])
def test_late_tokens_of_an_expired_order_come_back_but_not_the_amount_again(
    world: World, way: str
) -> None:
    ad_id = world.post_ad()
    order_id = world.place(ad_id)
    world.mine(world.deposit(order_id), at=world.order(order_id).fund_by)
    world.expire()
    assert world.available(ad_id) == TOTAL
    if way == "agreed":
        until = world.now + 3600
        for account in (SELLER, BUYER):
            world.sign_settlement(order_id, account, 0, until)
        assert world.status(order_id) == "awaiting_refund"
    if way == "disputed":
        world.mine(world.event("Disputed", order_id))
        assert world.status(order_id) == "disputed"
    world.mine(world.settled(order_id, 0))
    assert (world.status(order_id), world.available(ad_id)) == ("cancelled", TOTAL)


def test_a_dispute_counts_when_final_and_once(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("Disputed", order_id), final=False)
    assert world.status(order_id) == "paid"
    assert world.escrow(order_id).disputed_at == world.now
    world.mine()
    world.mine(world.deposit(order_id, 1))
    assert world.status(order_id) == "disputed"
    assert world.events(order_id).count("disputed") == 1


def test_dispute_and_settlement_in_one_final_stretch(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("Disputed", order_id), world.settled(order_id, 1))
    assert world.status(order_id) == "completed"
    assert world.events(order_id)[-2:] == ["disputed", "paid_out"]


def test_tokens_after_the_end_change_nothing(world: World) -> None:
    order_id = world.paid()
    world.mine(world.settled(order_id, AMOUNT))
    before = world.events(order_id)
    world.mine(world.deposit(order_id, 5), world.event("Swept", order_id))
    assert (world.status(order_id), world.events(order_id)) == ("completed", before)


# The ledger


def test_the_ledger_follows_final_tokens(world: World) -> None:
    order_id = world.paid()
    vault = world.order(order_id).vault
    world.mine(
        transfer(world.platform.token, vault, BUYER.address, AMOUNT - 7),
        transfer(world.platform.token, vault, world.platform.fee_recipient, 7),
        world.settled(order_id, AMOUNT),
    )
    world.mine()
    assert balance(world, vault_account(order_id)) == 0
    assert balance(world, wallet_account(BUYER.address)) == AMOUNT - 7
    assert balance(world, wallet_account(world.platform.fee_recipient)) == 7
    assert balance(world, wallet_account(SELLER.address)) == -AMOUNT
