"""While a chain is halted nothing is done that cannot be undone; an operator lets it go on."""

import pytest

from coordinator.db.intents import Intent
from coordinator.db.session import transaction
from coordinator.domain.errors import Conflict, Invalid, NotFound
from coordinator.services import halting
from coordinator.services.ports import ChainHalted, CosignRequest, NodeDown
from coordinator.workers.keeper import Keeper
from tests.findings.world import DirectCosigner
from tests.services.test_sending import Books
from tests.world import AMOUNT, ARBITRATOR, BUYER, SELLER, World

CHAIN = 31337


def halt(world: World, reason: str = "it differs") -> None:
    with transaction(world.engine) as session:
        halting.halt(session, CHAIN, reason)


def resume(world: World, why: str = "looked at") -> None:
    with transaction(world.engine) as session:
        halting.resume(session, CHAIN, why)


class CountingCosigner(DirectCosigner):
    """The co-signer itself, and how often it was asked."""

    asked = 0

    def cosign(self, request: CosignRequest) -> str:
        self.asked += 1
        return super().cosign(request)


def keeper_of(world: World, cosigner: DirectCosigner) -> Keeper:
    return Keeper(world.engine, world.platform, cosigner, lambda: world.now)


def settlement_intents(world: World) -> list[Intent]:
    return [i for i in world.intents() if not i.key.startswith("dispute:")]


def test_no_order_is_placed(world: World) -> None:
    ad_id = world.post_ad()
    halt(world)
    with pytest.raises(ChainHalted, match="it differs"):
        world.place(ad_id)
    resume(world)
    assert world.place(ad_id)


def test_no_buyer_is_told_to_pay(world: World) -> None:
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id, SELLER)
    world.mine(world.deposit(order_id))
    halt(world)
    world.sign_terms(order_id, BUYER)
    assert world.status(order_id) == "pending"


def test_nothing_is_cosigned(world: World) -> None:
    order_id = world.paid()
    world.sign_settlement(order_id, SELLER, AMOUNT)
    halt(world)
    cosigner = CountingCosigner(world)
    keeper_of(world, cosigner).step()
    assert (cosigner.asked, settlement_intents(world)) == (0, [])
    resume(world)
    keeper_of(world, cosigner).step()
    assert (cosigner.asked, len(settlement_intents(world))) == (1, 1)


def test_the_cosigner_itself_refuses_for_now(world: World) -> None:
    order_id = world.paid()
    until = world.now + 3600
    request = CosignRequest(
        terms=world.order(order_id).terms, to_buyer_units=AMOUNT, valid_until=until,
        signature="0x" + world.settlement_signature(order_id, SELLER, AMOUNT, until).hex(),
    )  # fmt: skip
    halt(world)
    with pytest.raises(NodeDown, match="halted: it differs"):
        DirectCosigner(world).cosign(request)
    resume(world)
    assert DirectCosigner(world).cosign(request)


def test_no_default_split_is_announced(world: World) -> None:
    order_id = world.paid()
    world.mine(world.event("Disputed", order_id))
    platform = world.platform
    windows = platform.ruling_window_seconds + platform.final_window_seconds
    world.mine(at=world.now + windows + 1)
    halt(world)
    keeper = keeper_of(world, DirectCosigner(world))
    keeper.step()
    assert settlement_intents(world) == []
    resume(world)
    keeper.step()
    assert [i.key for i in settlement_intents(world)] == [f"default:{order_id}"]


def test_a_ruling_that_waits_for_a_dispute_is_not_announced(world: World) -> None:
    order_id = world.paid()
    world.sign_settlement(order_id, ARBITRATOR, AMOUNT)
    world.sign_settlement(order_id, BUYER, AMOUNT)
    world.mine(world.event("Disputed", order_id))
    halt(world)
    keeper = keeper_of(world, DirectCosigner(world))
    keeper.step()
    assert settlement_intents(world) == []
    resume(world)
    keeper.step()
    assert len(settlement_intents(world)) == 1


def test_settlements_are_not_sent_and_disputes_are(world: World) -> None:
    books = Books(world)
    books.enqueue("settle:1")
    books.enqueue("dispute:1:buyer")
    settle, _ = world.intents()
    assert books.claim() == ["dispute:1:buyer", "settle:1"]
    halt(world)
    assert books.claim() == ["dispute:1:buyer"]
    with pytest.raises(ChainHalted):
        books.take(7, "claimed before the halt", settle)
    assert [i.status for i in world.intents()] == ["pending", "pending"]
    resume(world)
    assert books.claim() == ["dispute:1:buyer", "settle:1"]


def test_no_deadline_passes(world: World) -> None:
    order_id = world.place(world.post_ad())
    halt(world)
    world.chain.mine(at=world.now + world.platform.fund_by_seconds + 1)
    world.chain.finalize()
    with pytest.raises(ChainHalted):
        world.read()
    keeper_of(world, DirectCosigner(world)).step()
    assert world.status(order_id) == "pending"
    resume(world)
    world.read()
    keeper_of(world, DirectCosigner(world)).step()
    assert world.status(order_id) == "expired"


def test_the_first_reason_stays_and_everything_is_kept(world: World) -> None:
    halt(world, "first")
    halt(world, "second")
    assert world.cursor().halted == "first"
    resume(world, "node replaced")
    assert world.cursor().halted is None
    with transaction(world.engine) as session:
        found = halting.history(session, CHAIN, 10)
    assert [(row.event, row.reason) for row in found] == [
        ("resumed", "node replaced"), ("halted", "first"),
    ]  # fmt: skip


def test_what_is_refused(world: World) -> None:
    with pytest.raises(Conflict, match="not halted"):
        resume(world)
    with pytest.raises(Invalid, match="why"):
        halt(world, " ")
    halt(world)
    with pytest.raises(Invalid, match="why"):
        resume(world, "")
    with pytest.raises(NotFound, match="never read"), transaction(world.engine) as session:
        halting.halt(session, 1, "another chain")
    assert world.cursor().halted == "it differs"
