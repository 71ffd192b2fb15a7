"""Signatures of settlements: which are kept, and which together are sent."""

import pytest
from otc_sdk import calls, messages
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain

from coordinator.db.session import transaction
from coordinator.db.settlements import Settlement, SettlementSignature
from coordinator.domain.cosigning import MAX_VALIDITY_SECONDS
from coordinator.domain.errors import Conflict, Forbidden, Invalid, NotFound
from coordinator.services import sending, settlements
from coordinator.services.orders import lock
from tests.world import (
    AMOUNT,
    ARBITRATOR,
    BUYER,
    COORDINATOR,
    PARTIES,
    SELLER,
    STRANGER,
    TOTAL,
    World,
)

HOUR = 3600


@pytest.fixture
def order_id(world: World) -> str:
    return world.paid()


def nothing_kept(world: World, order_id: str) -> bool:
    return (
        world.all(Settlement) == []
        and world.intents() == []
        and world.status(order_id) == "paid"
        and world.events(order_id)[-1] == "paid"
    )


def cosign(world: World, settlement: Settlement) -> None:
    """What the keeper does with the co-signer's answer."""
    signature = world.settlement_signature(
        settlement.order_id, COORDINATOR, settlement.to_buyer_units, settlement.valid_until
    )
    with transaction(world.engine) as session:
        settlements.cosigned(session, world.platform, settlement.id or 0, signature, world.now)


def waiting(world: World) -> list[int]:
    with transaction(world.engine) as session:
        return [
            number for number, _ in settlements.waiting_for_cosigner(session, world.platform, 10)
        ]


# Refused signatures


@pytest.mark.parametrize("signature", [b"", bytes(65), b"\xff" * 65, b"\x01" * 64])
def test_a_malformed_signature(world: World, order_id: str, signature: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT, signature=signature)
    assert refused.value.code == "bad_signature"
    assert nothing_kept(world, order_id)


def test_a_foreign_signature(world: World, order_id: str) -> None:
    until = world.now + HOUR
    foreign = world.settlement_signature(order_id, BUYER, AMOUNT, until)
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT, until, foreign)
    assert refused.value.code == "bad_signature"
    assert nothing_kept(world, order_id)


@pytest.mark.parametrize("other", ["order", "chain", "escrow", "split", "time", "kind"])
def test_a_signature_of_something_else(world: World, order_id: str, other: str) -> None:
    until, domain, number = world.now + HOUR, world.platform.domain, bytes.fromhex(order_id[2:])
    message = {
        "order": messages.settlement(domain, b"\x01" * 32, AMOUNT, until),
        "chain": messages.settlement(EscrowDomain(1, domain.escrow), number, AMOUNT, until),
        "escrow": messages.settlement(
            EscrowDomain(domain.chain_id, STRANGER.address), number, AMOUNT, until
        ),
        "split": messages.settlement(domain, number, AMOUNT - 1, until),
        "time": messages.settlement(domain, number, AMOUNT, until + 1),
        "kind": messages.dispute(domain, number),
    }[other]
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT, until, messages.sign(SELLER, message))
    assert refused.value.code == "bad_signature"
    assert nothing_kept(world, order_id)


@pytest.mark.parametrize("seconds", [-1, 0, MAX_VALIDITY_SECONDS + 1])
def test_a_settlement_that_is_over_or_too_far_away(
    world: World, order_id: str, seconds: int
) -> None:
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT, world.now + seconds)
    assert refused.value.code == "validity"
    assert nothing_kept(world, order_id)


@pytest.mark.parametrize("units", [-1, AMOUNT + 1])
def test_more_than_there_is(world: World, order_id: str, units: int) -> None:
    with pytest.raises(Invalid) as refused:
        world.sign_settlement(order_id, SELLER, units, signature=bytes(65))
    assert refused.value.code == "amount_out_of_range"
    assert nothing_kept(world, order_id)


def test_a_stranger_signs_nothing(world: World, order_id: str) -> None:
    with pytest.raises(Forbidden):
        world.sign_settlement(order_id, STRANGER, AMOUNT)
    assert nothing_kept(world, order_id)


def test_no_such_order(world: World) -> None:
    with pytest.raises(NotFound):
        world.sign_settlement("0x" + "00" * 32, SELLER, AMOUNT)


def test_an_empty_vault_is_not_settled(world: World) -> None:
    order_id = world.place(world.post_ad())
    for account in (SELLER, BUYER):
        with pytest.raises(Conflict) as refused:
            world.sign_settlement(order_id, account, 0)
        assert refused.value.code == "not_funded"
    assert world.status(order_id) == "pending"


def test_nothing_is_signed_after_the_end(world: World, order_id: str) -> None:
    world.mine(world.settled(order_id, AMOUNT))
    with pytest.raises(Conflict) as refused:
        world.sign_settlement(order_id, SELLER, AMOUNT)
    assert refused.value.code == "settled"


def test_a_role_signs_so_many_settlements(world: World, order_id: str) -> None:
    for units in range(1, settlements.MAX_SETTLEMENTS_PER_ROLE + 1):
        world.sign_settlement(order_id, BUYER, units)
    with pytest.raises(Conflict) as refused:
        world.sign_settlement(order_id, BUYER, AMOUNT)
    assert refused.value.code == "too_many"


def test_a_flood_of_one_keeps_no_other_from_signing(world: World, order_id: str) -> None:
    for units in range(1, settlements.MAX_SETTLEMENTS_PER_ROLE + 1):
        world.sign_settlement(order_id, BUYER, units)
    world.mine(world.event("Disputed", order_id))
    until = world.now + HOUR
    world.sign_settlement(order_id, ARBITRATOR, AMOUNT, until)
    world.sign_settlement(order_id, SELLER, AMOUNT, until)
    assert world.status(order_id) == "awaiting_release"


# What suffices


def test_both_traders_split_as_they_like(world: World, order_id: str) -> None:
    until = world.now + HOUR
    world.sign_settlement(order_id, SELLER, 1, until)
    assert world.intents() == []
    assert waiting(world) == [], "nobody co-signs a split"
    settlement = world.sign_settlement(order_id, BUYER, 1, until)
    assert (settlement.status, world.status(order_id)) == ("ready", "awaiting_release")


@pytest.mark.parametrize(
    ("giver", "units", "status"),
    [(SELLER, AMOUNT, "awaiting_release"), (BUYER, 0, "awaiting_refund")],
    ids=["release", "refund"],
)
def test_who_gives_way_is_co_signed(
    world: World, order_id: str, giver: object, units: int, status: str
) -> None:
    settlement = world.sign_settlement(order_id, giver, units)  # type: ignore[arg-type]
    assert settlement.status == "cosigning"
    assert waiting(world) == [settlement.id]
    assert world.intents() == []
    cosign(world, settlement)
    cosign(world, settlement)
    assert (world.status(order_id), waiting(world)) == (status, [])
    assert len(world.intents()) == 1


@pytest.mark.parametrize("taker", [SELLER, BUYER], ids=["refund", "release"])
def test_who_takes_is_not_co_signed(world: World, order_id: str, taker: object) -> None:
    units = 0 if taker is SELLER else AMOUNT
    settlement = world.sign_settlement(order_id, taker, units)  # type: ignore[arg-type]
    assert (settlement.status, waiting(world)) == ("collecting", [])


def test_the_arbitrator_rules_only_while_disputed(world: World, order_id: str) -> None:
    until = world.now + HOUR
    world.sign_settlement(order_id, ARBITRATOR, 7, until)
    world.sign_settlement(order_id, BUYER, 7, until)
    assert world.intents() == []
    world.mine(world.event("Disputed", order_id))
    until = world.now + HOUR
    world.sign_settlement(order_id, ARBITRATOR, 7, until)
    world.sign_settlement(order_id, BUYER, 7, until)
    assert (world.status(order_id), len(world.intents())) == ("awaiting_release", 1)


def test_arbitrator_and_coordinator_together_move_nothing(world: World, order_id: str) -> None:
    world.mine(world.event("Disputed", order_id))
    until = world.now + HOUR
    world.sign_settlement(order_id, ARBITRATOR, AMOUNT, until)
    settlement = world.sign_settlement(order_id, COORDINATOR, AMOUNT, until)
    assert (settlement.status, world.intents(), waiting(world)) == ("collecting", [], [])


def test_what_is_sent_is_what_was_signed(world: World, order_id: str) -> None:
    until = world.now + HOUR
    for account in (BUYER, SELLER):
        world.sign_settlement(order_id, account, 5, until)
    signatures = {
        role: messages.compact(world.settlement_signature(order_id, PARTIES[role], 5, until))
        for role in (Role.SELLER, Role.BUYER)
    }
    data = calls.settle(world.terms(order_id), 5, until, signatures)
    [intent] = world.intents()
    assert (intent.to, intent.data) == (world.platform.domain.escrow, "0x" + data.hex())


def test_signing_again_changes_nothing(world: World, order_id: str) -> None:
    until = world.now + HOUR
    for account in (SELLER, BUYER):
        world.sign_settlement(order_id, account, 5, until)
    before = world.order(order_id), world.log(order_id)
    world.sign_settlement(order_id, SELLER, 5, until)
    assert (world.order(order_id), world.log(order_id)) == before
    assert (len(world.intents()), len(world.all(SettlementSignature))) == (1, 2)


# The co-signer's refusal


def refuse(world: World, settlement: Settlement) -> None:
    with transaction(world.engine) as session:
        settlements.cosign_refused(session, settlement.id or 0, "over the cap", world.now)


def test_a_refusal_is_shown_and_not_asked_again(world: World, order_id: str) -> None:
    settlement = world.sign_settlement(order_id, SELLER, AMOUNT)
    refuse(world, settlement)
    kept = world.get(Settlement, settlement.id)
    assert (kept.status, kept.refusal, waiting(world)) == ("refused", "over the cap", [])
    assert world.log(order_id)[-1].reason == "over the cap"


def test_traders_need_no_co_signer(world: World, order_id: str) -> None:
    settlement = world.sign_settlement(order_id, SELLER, AMOUNT)
    refuse(world, settlement)
    world.sign_settlement(order_id, BUYER, AMOUNT, settlement.valid_until)
    assert world.status(order_id) == "awaiting_release"


def test_a_refusal_that_comes_too_late_undoes_nothing(world: World, order_id: str) -> None:
    settlement = world.sign_settlement(order_id, SELLER, AMOUNT)
    world.sign_settlement(order_id, BUYER, AMOUNT, settlement.valid_until)
    refuse(world, settlement)
    assert world.get(Settlement, settlement.id).status == "ready"
    assert "cosign_refused" not in world.events(order_id)


# The chain's refusal


def drop(world: World) -> None:
    """What the sender does when the chain refuses the newest call for good."""
    with transaction(world.engine) as session:
        sending.obsolete(session, world.intents()[-1].id or 0, "Short()", world.now)


@pytest.mark.parametrize("before", ["awaiting_payment", "paid", "disputed"])
def test_an_order_whose_settlement_failed_is_where_it_was(world: World, before: str) -> None:
    order_id = world.funded() if before == "awaiting_payment" else world.paid()
    if before == "disputed":
        world.mine(world.event("Disputed", order_id))
    until = world.now + HOUR
    for account in (SELLER, BUYER):
        world.sign_settlement(order_id, account, 5, until)
    assert world.status(order_id) == "awaiting_release"
    drop(world)
    assert world.status(order_id) == before
    [settlement] = world.all(Settlement)
    assert (settlement.status, settlement.refusal) == ("failed", "Short()")


def test_a_refund_of_a_deposit_that_vanished(world: World) -> None:
    """Both agreed to pay back what was seen, and a reorg took it: all is over."""
    order_id = world.place(world.post_ad())
    world.sign_terms(order_id)
    world.mine(world.deposit(order_id), final=False)
    settlement = world.sign_settlement(order_id, SELLER, 0)
    world.sign_settlement(order_id, BUYER, 0, settlement.valid_until)
    assert world.status(order_id) == "awaiting_refund"
    world.chain.reorg(1)
    world.mine()
    with transaction(world.engine) as session:
        order = lock(session, order_id)
        settlements.failed(session, order, settlement.id or 0, "NothingToPay", world.now)
    assert world.status(order_id) == "expired"
    assert world.available(world.order(order_id).ad_id) == TOTAL
