"""The co-signer's day and the keeper's round belong to everybody."""

import pytest
from eth_account.signers.local import LocalAccount

from coordinator.db.orders import Order
from coordinator.db.settlements import Settlement
from coordinator.services.ports import CosignRequest, NodeDown
from coordinator.workers import keeper
from tests.chain import account_of
from tests.findings.world import CONTRACT_SIGNATURE, EVIL, DirectCosigner, keeper_of
from tests.world import AMOUNT, BUYER, SELLER, TOTAL, World


def status(world: World, settlement: Settlement) -> str:
    kept: Settlement = world.get(Settlement, settlement.id)
    return kept.status


def test_a_signer_that_no_node_can_check_holds_up_nobody(world: World) -> None:
    """Found: one such signature, and no release of anybody was co-signed again."""
    hostile = world.place(world.post_ad(maker=EVIL.address))
    world.sign_terms(hostile, EVIL, BUYER)
    world.mine(world.deposit(hostile))
    world.chain.says_1271 = lambda *_: True
    stuck = world.sign_settlement(hostile, EVIL, AMOUNT, signature=CONTRACT_SIGNATURE)
    honest = world.sign_settlement(world.paid(), SELLER, AMOUNT)

    def fail(*_: object) -> bool:
        raise NodeDown("out of gas")

    world.chain.says_1271 = fail
    keeper_of(world).step()
    assert (status(world, stuck), status(world, honest)) == ("cosigning", "ready")


def test_a_refund_takes_nothing_of_the_cap(world: World) -> None:
    """Found: a refund of one millionth of a dollar counted as the whole amount of its order."""
    dust = world.place(world.post_ad(), amount_units=TOTAL)
    world.mine(world.deposit(dust, 1))
    refund = world.sign_settlement(dust, BUYER, 0)
    release = world.sign_settlement(world.paid(), SELLER, AMOUNT)
    keeper_of(world, DirectCosigner(world, cap_units=AMOUNT)).step()
    assert (status(world, refund), status(world, release)) == ("ready", "ready")


def test_an_order_counts_once_against_the_cap(world: World) -> None:
    """Found: one seller's signatures of one order used up the day for everybody."""
    order_id = world.paid()
    keeper = keeper_of(world, DirectCosigner(world, cap_units=2 * AMOUNT))
    for hours in (1, 2, 3):
        world.sign_settlement(order_id, SELLER, AMOUNT, world.now + hours * 3600)
    keeper.step()
    release = world.sign_settlement(world.paid(), SELLER, AMOUNT)
    keeper.step()
    assert status(world, release) == "ready"


def test_a_full_day_is_no_refusal_for_ever(world: World) -> None:
    """Found: what the cap had refused was never asked for again, and the release was lost."""
    release = world.sign_settlement(world.paid(), SELLER, AMOUNT)
    cosigner = DirectCosigner(world, cap_units=0)
    keeper_of(world, cosigner).step()
    assert status(world, release) == "cosigning"
    cosigner.cap_units = AMOUNT
    keeper_of(world, cosigner).step()
    assert status(world, release) == "ready"


def test_a_deposit_that_is_not_final_is_no_refusal_for_ever(world: World) -> None:
    """Found: a co-signer a block behind refused a release for good."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.mine(world.deposit(order_id), final=False)
    refund = world.sign_settlement(order_id, BUYER, 0)
    keeper_of(world).step()
    assert status(world, refund) == "cosigning"
    world.mine()
    keeper_of(world).step()
    assert status(world, refund) == "ready"


class LosingCosigner(DirectCosigner):
    """Signs, and its answers do not arrive."""

    def cosign(self, request: CosignRequest) -> str:
        super().cosign(request)
        raise NodeDown("timed out")


def test_an_answer_that_comes_after_the_end_ends_no_keeper(world: World) -> None:
    """Found: a release signed twice, one answer lost, and each keeper ended as it started."""
    order_id = world.paid()
    late = world.sign_settlement(order_id, SELLER, AMOUNT)
    keeper_of(world, LosingCosigner(world)).step()
    world.mine(world.settled(order_id, AMOUNT))
    assert world.status(order_id) == "completed"
    waiting = world.sign_settlement(world.paid(), SELLER, AMOUNT)
    keeper_of(world).step()
    assert (status(world, late), status(world, waiting)) == ("cosigning", "ready")


class OvertakenCosigner(DirectCosigner):
    """While it signs, the traders' own settlement ends the order in the same way."""

    def cosign(self, request: CosignRequest) -> str:
        signature = super().cosign(request)
        [order] = self.world.all(Order)
        self.world.mine(self.world.settled(order.id, request.to_buyer_units))
        return signature


@pytest.mark.parametrize(
    ("giver", "units", "end"), [(SELLER, AMOUNT, "completed"), (BUYER, 0, "cancelled")]
)
def test_an_end_while_the_cosigner_signs(
    world: World, giver: LocalAccount, units: int, end: str
) -> None:
    """Found: it ended the keeper, or left a refunded order awaiting its refund for ever."""
    order_id = world.paid()
    world.sign_settlement(order_id, giver, units)
    keeper_of(world, OvertakenCosigner(world)).step()
    assert (world.status(order_id), world.intents()) == (end, [])


def test_what_can_never_be_cosigned_keeps_no_release_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found: refunds of empty vaults, made for nothing, were asked for as often as releases."""
    monkeypatch.setattr(keeper, "MAX_PER_STEP", 1)
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.mine(world.deposit(order_id, token=account_of("worthless").address))
    for hours in range(1, 11):
        world.sign_settlement(order_id, BUYER, 0, world.now + hours * 3600)
    for _ in range(10):
        keeper_of(world).step()
    release = world.sign_settlement(world.paid(), SELLER, AMOUNT)
    keeper_of(world).step()
    assert status(world, release) == "ready"


class SlowCosigner(DirectCosigner):
    """Each answer takes as long as a keeper asks, and decides nothing."""

    def cosign(self, _: CosignRequest) -> str:
        self.world.mine(at=self.world.now + keeper.MAX_ASKING_SECONDS + 1)
        raise NodeDown("timed out")


def test_slow_signers_end_the_round_early(world: World) -> None:
    """Found: fifty signers' contracts, each as slow as allowed, and nobody else for minutes."""
    slow = [world.sign_settlement(world.paid(), SELLER, AMOUNT) for _ in range(3)]
    keeper_of(world, SlowCosigner(world)).step()
    asked = [world.get(Settlement, settlement.id).asked_at > 0 for settlement in slow]
    assert asked == [True, False, False]
