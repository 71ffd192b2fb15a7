"""The coordinator as judge: a person's act, after the arbitrator's time, with a trader."""

from dataclasses import replace
from typing import Any

import pytest
from otc_sdk import messages
from otc_sdk.roles import Role
from otc_sdk.terms import Terms
from sqlalchemy import Engine

from coordinator.domain.errors import Refused
from coordinator.services.cosigner_switch import turn
from coordinator.services.judging import judge
from tests.cosigning import HOUR, Desk
from tests.fake_chain import of_order, transfer
from tests.world import AMOUNT, ARBITRATOR, BUYER, COORDINATOR, PLATFORM, SELLER

SHARE = AMOUNT // 3
ACCOUNTS = {Role.SELLER: SELLER, Role.BUYER: BUYER, Role.ARBITRATOR: ARBITRATOR}


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk.open(engine)


def disputed(desk: Desk, after: int = HOUR, final: bool = True) -> Terms:
    """An order disputed a ruling window ago, or less."""
    terms = desk.terms()
    desk.fund(terms)
    order_id = "0x" + terms.order_id(PLATFORM.domain).hex()
    desk.chain.mine(of_order("Disputed", PLATFORM.domain.escrow, order_id))
    if final:
        desk.chain.finalize()
    desk.chain.mine(at=desk.chain.now + after)
    if final:
        desk.chain.finalize()
    return terms


def judged(
    desk: Desk, terms: Terms, role: Role = Role.SELLER, units: int = SHARE, **changes: Any
) -> str:
    request = desk.request(terms, units, signer=ACCOUNTS[role])
    why = changes.pop("why", "no proof of payment")
    return judge(
        desk.engine, desk.policy, desk.chain, desk.key, replace(request, **changes), role, why,
        "ann@ops",
    )  # fmt: skip


@pytest.mark.parametrize("units", [0, SHARE, AMOUNT])
@pytest.mark.parametrize("role", [Role.SELLER, Role.BUYER])
def test_a_person_judges_with_a_trader(desk: Desk, role: Role, units: int) -> None:
    terms = disputed(desk)
    signature = bytes.fromhex(judged(desk, terms, role, units)[2:])
    order_id = terms.order_id(PLATFORM.domain)
    message = messages.settlement(PLATFORM.domain, order_id, units, desk.chain.now + HOUR)
    messages.check(COORDINATOR.address, message, signature)
    [row] = desk.rows()
    assert (row.judge, row.why) == ("ann@ops", "no proof of payment")


def refused(desk: Desk, code: str, terms: Terms, **changes: Any) -> None:
    with pytest.raises(Refused) as refusal:
        judged(desk, terms, **changes)
    assert refusal.value.code == code
    assert desk.rows() == []


def test_an_order_without_a_dispute(desk: Desk) -> None:
    terms = desk.terms()
    desk.fund(terms)
    refused(desk, "judge_undisputed", terms)


def test_a_dispute_that_is_not_final(desk: Desk) -> None:
    refused(desk, "judge_undisputed", disputed(desk, final=False))


def test_while_the_arbitrator_may_rule(desk: Desk) -> None:
    refused(desk, "judge_early", disputed(desk, HOUR - 1))


def test_the_arbitrators_signature_is_not_a_traders(desk: Desk) -> None:
    """Coordinator and arbitrator together move nothing."""
    refused(desk, "judge_trader", disputed(desk), role=Role.ARBITRATOR)


def test_a_trader_who_signed_something_else(desk: Desk) -> None:
    refused(desk, "cosign_counterparty", disputed(desk), to_buyer_units=SHARE + 1)


@pytest.mark.parametrize("units", [-1, AMOUNT + 1])
def test_a_share_beyond_the_amount(desk: Desk, units: int) -> None:
    refused(desk, "amount_out_of_range", disputed(desk), to_buyer_units=units)


@pytest.mark.parametrize("why", ["", " ", "x" * 501])
def test_without_a_reason(desk: Desk, why: str) -> None:
    refused(desk, "why", disputed(desk), why=why)


def test_a_vault_that_fell_short_is_given_back(desk: Desk) -> None:
    terms = disputed(desk)
    desk.chain.mine(transfer(terms.token, desk.vault(terms), SELLER.address, 1))
    desk.chain.finalize()
    refused(desk, "cosign_unfunded", terms, units=SHARE)
    assert judged(desk, terms, units=0)


def test_a_settled_order(desk: Desk) -> None:
    terms = disputed(desk)
    desk.chain.deployed.add(desk.vault(terms))
    refused(desk, "cosign_settled", terms)


def test_while_co_signing_is_stopped(desk: Desk) -> None:
    terms = disputed(desk)
    turn(desk.engine, True, "a drill", "ann@ops", 1)
    refused(desk, "cosign_stopped", terms)


def test_no_limit_of_the_machine_holds_a_person_up(desk: Desk) -> None:
    desk.limit("day", 0, 0)
    desk.policy = replace(desk.policy, order_units=0)
    assert judged(desk, disputed(desk))
