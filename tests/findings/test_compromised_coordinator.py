"""What somebody gets signed who holds the API, the database and the keeper's token: nothing new.

The keys of the traders, and the co-signer's machine, nodes and key, are not theirs.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from otc_sdk import messages
from otc_sdk.terms import EscrowDomain, Terms
from sqlalchemy import Engine, delete
from sqlmodel import Session

from coordinator.bootstrap.cosigner import build_books
from coordinator.db.cosigning import Cosignature
from coordinator.domain.errors import Later, Refused
from coordinator.services.cosigner_switch import turn
from coordinator.services.ports import CosignRequest
from coordinator.settings import Settings
from tests.chain import account_of
from tests.cosigning import HOUR, SPENDER, Desk
from tests.database import DatabaseServer
from tests.world import AMOUNT, BUYER, COORDINATOR, PLATFORM, SELLER

THIEF = account_of("thief")


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk.open(engine)


def funded(desk: Desk, salt: int = 1) -> Terms:
    terms = desk.terms(salt)
    desk.fund(terms)
    return terms


def refused(desk: Desk, request: CosignRequest) -> None:
    with pytest.raises(Refused):
        desk.cosign(request)
    assert all(row.signature is None for row in desk.rows())


def other(terms: Terms, name: str) -> Any:
    """Another value of a member of the terms, as good as the first."""
    value = getattr(terms, name)
    return account_of(f"other {name}").address if isinstance(value, str) else value + 1


@pytest.mark.parametrize("member", [f.name for f in fields(Terms)])
def test_no_member_of_the_terms_can_be_changed(desk: Desk, member: str) -> None:
    """With the seller's signature of a release, nobody else is paid, and nothing else."""
    terms = funded(desk)
    request = desk.request(terms)
    forged = replace(terms, **{member: other(terms, member)})
    desk.fund(forged)
    refused(desk, replace(request, terms=forged.to_dict()))


@pytest.mark.parametrize("domain", [
    EscrowDomain(PLATFORM.domain.chain_id + 1, PLATFORM.domain.escrow),
    EscrowDomain(PLATFORM.domain.chain_id, SPENDER),
], ids=["another chain", "another escrow"])  # fmt: skip
def test_a_signature_for_elsewhere_is_worth_nothing(desk: Desk, domain: EscrowDomain) -> None:
    terms = funded(desk)
    until = desk.chain.now + HOUR
    message = messages.settlement(domain, terms.order_id(domain), AMOUNT, until)
    signature = "0x" + messages.sign(SELLER, message).hex()
    refused(desk, CosignRequest(terms.to_dict(), AMOUNT, until, signature))


@pytest.mark.parametrize("signer", [BUYER, COORDINATOR, THIEF], ids=["buyer", "co-signer", "thief"])
def test_a_release_needs_the_seller(desk: Desk, signer: Any) -> None:
    refused(desk, desk.request(funded(desk), signer=signer))


@pytest.mark.parametrize(
    "signer", [SELLER, COORDINATOR, THIEF], ids=["seller", "co-signer", "thief"]
)
def test_a_refund_needs_the_buyer_even_after_pay_by(desk: Desk, signer: Any) -> None:
    """Decision 7: a thieving seller, the coordinator in hand, and a buyer who has just paid."""
    terms = funded(desk)
    desk.chain.mine(at=terms.pay_by + 1)
    desk.chain.finalize()
    refused(desk, desk.request(terms, 0, signer=signer))


@pytest.mark.parametrize("signer", [SELLER, BUYER], ids=["seller", "buyer"])
def test_it_is_no_judge(desk: Desk, signer: Any) -> None:
    """Decision 7: after the ruling window the coordinator may judge; a machine does not."""
    terms = funded(desk)
    desk.chain.mine(at=terms.pay_by + 10 * HOUR)
    desk.chain.finalize()
    refused(desk, desk.request(terms, AMOUNT // 2, signer=signer))


def test_a_deposit_that_only_the_books_know_is_none(desk: Desk) -> None:
    refused(desk, desk.request(desk.terms()))


def empty_the_book(engine: Engine) -> None:
    with Session(engine) as session:
        session.execute(delete(Cosignature))
        session.commit()


def test_who_empties_a_shared_book_evades_the_limits(desk: Desk) -> None:
    """Known, and why a co-signer in production has a database of its own."""
    desk.limit("day", AMOUNT)
    first, second = funded(desk, 1), funded(desk, 2)
    desk.cosign(desk.request(first))
    empty_the_book(desk.engine)
    assert desk.cosign(desk.request(second))


@pytest.fixture
def own_book(database_server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """As a co-signer opens it at its first start: without any table before."""
    name = database_server.create_empty()
    values = {
        "DATABASE_URL": "postgresql://nowhere/otc",
        "OTC_COSIGNER_DATABASE_URL": database_server.url(name),
        "OTC_CHAIN_ID": "1",
        **dict.fromkeys(
            ("OTC_ESCROW", "OTC_TOKEN", "OTC_ARBITRATOR", "OTC_COORDINATOR", "OTC_FEE_RECIPIENT"),
            SPENDER,
        ),
    }
    for name_, value in values.items():
        monkeypatch.setenv(name_, value)
    engine = build_books(Settings())
    yield engine
    engine.dispose()
    database_server.drop(name)


def test_a_book_of_its_own_keeps_the_limits(engine: Engine, own_book: Engine) -> None:
    desk = Desk.open(own_book)
    desk.limit("day", AMOUNT)
    first, second = funded(desk, 1), funded(desk, 2)
    desk.cosign(desk.request(first))
    empty_the_book(engine)
    with pytest.raises(Later, match="pass the limit"):
        desk.cosign(desk.request(second))


def test_who_turns_the_switch_of_the_database_meets_the_file(desk: Desk) -> None:
    turn(desk.engine, True, "break-in", "ann@ops", 1)
    turn(desk.engine, False, "nothing to see", "thief", 2)
    desk.policy = replace(desk.policy, local_stop=lambda: "break-in")
    with pytest.raises(Later, match="on this machine: break-in"):
        desk.cosign(desk.request(funded(desk)))
