"""The co-signer: what it refuses, that it writes it down, and its cap."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from otc_sdk import messages
from otc_sdk.terms import Terms
from prometheus_client import REGISTRY
from sqlalchemy import Engine
from structlog.testing import capture_logs

from coordinator.domain.cosigning import MAX_VALIDITY_SECONDS, WINDOWS
from coordinator.domain.errors import Invalid, Later, Refused
from coordinator.services import cosigning
from coordinator.services.ports import CosignRequest, KeyDown
from tests.chain import account_of
from tests.cosigning import HOUR, SPENDER, STRANGER, BrokenKey, Desk
from tests.world import AMOUNT, ARBITRATOR, BUYER, COORDINATOR, PLATFORM, SELLER


@pytest.fixture
def desk(engine: Engine) -> Desk:
    return Desk.open(engine)


@pytest.mark.parametrize("units", [AMOUNT, 0], ids=["release", "refund"])
def test_it_signs_what_a_trader_gives_way_to(desk: Desk, units: int) -> None:
    terms = desk.terms()
    desk.fund(terms)
    request = desk.request(terms, units)
    signature = bytes.fromhex(desk.cosign(request)[2:])
    order_id = terms.order_id(PLATFORM.domain)
    message = messages.settlement(PLATFORM.domain, order_id, units, request.valid_until)
    messages.check(COORDINATOR.address, message, signature)
    [row] = desk.rows()
    assert (row.order_id, row.to_buyer_units, row.refusal) == ("0x" + order_id.hex(), units, None)


Change = Callable[[Desk, Terms], CosignRequest]
REFUSED: dict[str, tuple[str, Change]] = {
    "a split": ("cosign_split", lambda d, t: d.request(t, AMOUNT - 1)),
    "over": ("cosign_validity", lambda d, t: d.request(t, until=d.chain.now)),
    "too far away": (
        "cosign_validity",
        lambda d, t: d.request(t, until=d.chain.now + MAX_VALIDITY_SECONDS + 1),
    ),
    "the receiver's own signature": (
        "cosign_counterparty", lambda d, t: d.request(t, signer=BUYER),
    ),
    "the arbitrator's signature": (
        "cosign_counterparty", lambda d, t: d.request(t, signer=ARBITRATOR),
    ),
    "a signature of another outcome": (
        "cosign_counterparty", lambda d, t: replace(d.request(t, 0), to_buyer_units=AMOUNT),
    ),
    "a signature of another time": (
        "cosign_counterparty",
        lambda d, t: replace(d.request(t), valid_until=d.chain.now + HOUR + 1),
    ),
    "no signature": ("cosign_counterparty", lambda d, t: replace(d.request(t), signature="0x")),
    "nonsense": ("cosign_counterparty", lambda d, t: replace(d.request(t), signature="0xzz")),
    "another coordinator": (
        "cosign_terms", lambda d, t: d.request(replace(t, coordinator=SPENDER)),
    ),
    "another token": ("cosign_terms", lambda d, t: d.request(replace(t, token=SPENDER))),
    "another fee recipient": (
        "cosign_terms", lambda d, t: d.request(replace(t, fee_recipient=SPENDER)),
    ),
    "a fee over the limit": (
        "cosign_terms", lambda d, t: d.request(replace(t, fee_units=AMOUNT // 20 + 1)),
    ),
    "an order over the limit": (
        "cosign_order_limit",
        lambda d, t: d.request(replace(t, amount_units=AMOUNT + 1), AMOUNT + 1),
    ),
    "one address in two roles": (
        "cosign_terms", lambda d, t: d.request(replace(t, arbitrator=BUYER.address)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_and_writes_down_why(desk: Desk, case: str) -> None:
    code, change = REFUSED[case]
    terms = desk.terms()
    desk.fund(terms)
    with pytest.raises(Refused) as refused:
        desk.cosign(change(desk, terms))
    assert refused.value.code == code
    [row] = desk.rows()
    assert (row.signature, row.refusal) == (None, refused.value.message)


def test_what_may_be_granted_later_is_no_decision(desk: Desk) -> None:
    terms = desk.terms()
    with pytest.raises(Later) as unfunded:
        desk.cosign(desk.request(terms))
    desk.fund(terms)
    desk.limit("day", AMOUNT - 1)
    with pytest.raises(Later) as capped:
        desk.cosign(desk.request(terms))
    assert (unfunded.value.code, capped.value.code) == ("cosign_unfunded", "cosign_day_limit")
    assert desk.rows() == []
    desk.limit("day", AMOUNT)
    assert desk.cosign(desk.request(terms))


def test_a_refund_uses_up_no_cap(desk: Desk) -> None:
    desk.limit("day", AMOUNT)
    refunded, released = desk.terms(1), desk.terms(2)
    desk.fund(refunded)
    desk.fund(released)
    desk.cosign(desk.request(refunded, 0))
    assert desk.cosign(desk.request(released))


@pytest.mark.parametrize("units", [AMOUNT, 0])
def test_a_settled_vault(desk: Desk, units: int) -> None:
    terms = desk.terms()
    desk.fund(terms)
    desk.chain.deployed.add(desk.vault(terms))
    with pytest.raises(Refused) as refused:
        desk.cosign(desk.request(terms, units))
    assert refused.value.code == "cosign_settled"


@pytest.mark.parametrize(("units", "final"), [(AMOUNT - 1, True), (AMOUNT, False)])
def test_a_release_needs_the_whole_amount_to_be_final(desk: Desk, units: int, final: bool) -> None:
    terms = desk.terms()
    desk.fund(terms, units, final)
    with pytest.raises(Refused) as refused:
        desk.cosign(desk.request(terms))
    assert refused.value.code == "cosign_unfunded"


def test_a_short_vault_is_refunded(desk: Desk) -> None:
    terms = desk.terms()
    desk.fund(terms, 1)
    assert desk.cosign(desk.request(terms, 0))


@pytest.mark.parametrize(
    "change", [{"amount_units": "-1"}, {"seller": "0x00"}, {"pay_by": None}, {"more": 1}]
)
def test_malformed_terms(desk: Desk, change: dict[str, Any]) -> None:
    request = desk.request(desk.terms())
    with pytest.raises(Invalid) as refused:
        desk.cosign(replace(request, terms={**request.terms, **change}))
    assert refused.value.code == "malformed_terms"


def test_a_repeat_costs_nothing(desk: Desk) -> None:
    desk.limit("day", AMOUNT)
    terms = desk.terms()
    desk.fund(terms)
    request = desk.request(terms)
    assert desk.cosign(request) == desk.cosign(request)
    assert len(desk.rows()) == 1


def test_an_order_counts_once_however_often_it_is_signed(desk: Desk) -> None:
    desk.limit("day", 2 * AMOUNT)
    often, other = desk.terms(1), desk.terms(2)
    desk.fund(often)
    desk.fund(other)
    for seconds in range(5):
        desk.cosign(desk.request(often, until=desk.chain.now + HOUR + seconds))
    assert desk.cosign(desk.request(other))


# Who trades the second order: strangers where a limit is of all together.
OVER: dict[str, dict[str, Any]] = {
    "hour": {"seller": SPENDER, "buyer": STRANGER},
    "day": {"seller": SPENDER, "buyer": STRANGER},
    "trader_day": {"buyer": STRANGER},
}


@pytest.mark.parametrize("name", OVER)
@pytest.mark.parametrize("most", [{"units": 2 * AMOUNT - 1}, {"orders": 1}], ids=str)
def test_each_limit_ends_with_its_time(desk: Desk, name: str, most: dict[str, int]) -> None:
    desk.limit(name, **most)
    first, second = desk.terms(1), desk.terms(2, **OVER[name])
    desk.fund(first)
    desk.fund(second)
    signer = SELLER if second.seller == SELLER.address else account_of("spender")
    desk.cosign(desk.request(first))
    with pytest.raises(Later) as refused:
        desk.cosign(desk.request(second, signer=signer))
    assert refused.value.code == f"cosign_{name}_limit"
    seconds = next(seconds for n, seconds, _ in WINDOWS if n == name)
    desk.chain.mine(at=desk.chain.now + seconds - 10)
    with pytest.raises(Later):
        desk.cosign(desk.request(second, signer=signer))
    desk.chain.mine(at=desk.chain.now + 10)
    assert desk.cosign(desk.request(second, signer=signer))


@pytest.mark.parametrize(
    "changes",
    [
        {"buyer": STRANGER},
        {"seller": STRANGER},
        {"seller": BUYER.address, "buyer": STRANGER},
        {"seller": STRANGER, "buyer": SELLER.address},
    ],
    ids=["seller again", "buyer again", "the buyer sells", "the seller buys"],
)
def test_a_traders_day_counts_both_their_sides(desk: Desk, changes: dict[str, str]) -> None:
    desk.limit("trader_day", AMOUNT)
    first, second = desk.terms(1), desk.terms(2, **changes)
    desk.fund(first)
    desk.fund(second)
    desk.cosign(desk.request(first))
    signer = {a.address: a for a in (SELLER, BUYER, account_of("stranger"))}[second.seller]
    with pytest.raises(Later) as refused:
        desk.cosign(desk.request(second, signer=signer))
    assert refused.value.code == "cosign_trader_day_limit"


def test_one_traders_day_is_not_anothers(desk: Desk) -> None:
    desk.limit("trader_day", AMOUNT)
    first = desk.terms(1)
    second = desk.terms(2, seller=SPENDER, buyer=STRANGER)
    desk.fund(first)
    desk.fund(second)
    desk.cosign(desk.request(first))
    assert desk.cosign(desk.request(second, signer=account_of("spender")))


def test_the_largest_order_is_released_and_a_larger_one_refunded(desk: Desk) -> None:
    largest, larger = desk.terms(1), desk.terms(2, amount_units=AMOUNT + 1)
    desk.fund(largest)
    desk.fund(larger)
    assert desk.cosign(desk.request(largest))
    assert desk.cosign(desk.request(larger, 0))


def test_the_cap_holds_for_requests_at_once(desk: Desk) -> None:
    desk.limit("day", 3 * AMOUNT)
    orders = [desk.terms(salt) for salt in range(8)]
    for terms in orders:
        desk.fund(terms)

    def signed(terms: Terms) -> bool:
        try:
            return bool(desk.cosign(desk.request(terms)))
        except Refused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(signed, orders)) == 3
    assert len([row for row in desk.rows() if row.signature]) == 3


def test_a_repeated_refusal_is_written_down_once(desk: Desk) -> None:
    request = desk.request(desk.terms(), signer=BUYER)
    for _ in range(3):
        with pytest.raises(Refused):
            desk.cosign(request)
    assert len(desk.rows()) == 1


def test_refusals_do_not_fill_the_book(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cosigning, "MAX_REFUSALS_PER_DAY", 2)
    for salt in range(4):
        with pytest.raises(Refused):
            desk.cosign(desk.request(desk.terms(salt), signer=BUYER))
    assert len(desk.rows()) == 2
    desk.chain.mine(at=desk.chain.now + cosigning.DAY_SECONDS)
    with pytest.raises(Refused):
        desk.cosign(desk.request(desk.terms(5), signer=BUYER))
    assert len(desk.rows()) == 3


def test_old_refusals_are_dropped_and_signatures_are_not(desk: Desk) -> None:
    signed = desk.terms(1)
    desk.fund(signed)
    desk.cosign(desk.request(signed))
    for salt in (2, 3):
        with pytest.raises(Refused):
            desk.cosign(desk.request(desk.terms(salt), signer=BUYER))
        desk.chain.mine(at=desk.chain.now + cosigning.REFUSALS_KEPT_SECONDS + 1)
    assert len(desk.rows()) == 2
    assert [row.signature is not None for row in desk.rows()] == [True, False]


def test_a_refusal_and_a_delay_are_logged_with_the_order(desk: Desk) -> None:
    terms = desk.terms()
    order = "0x" + terms.order_id(PLATFORM.domain).hex()
    with capture_logs() as logs:
        for request in (desk.request(terms, signer=BUYER), desk.request(terms)):
            with pytest.raises(Refused):
                desk.cosign(request)
    mine = [entry for entry in logs if entry.get("order_id") == order]
    assert [(entry["event"], entry["order_id"], entry["code"]) for entry in mine] == [
        ("cosign refused", order, "cosign_counterparty"),
        ("cosign later", order, "cosign_unfunded"),
    ]
    assert all(entry["reason"] for entry in mine)


def test_malformed_terms_are_counted_and_logged_in_few_words(desk: Desk) -> None:
    request = desk.request(desk.terms())
    labels = {"code": "malformed_terms"}
    before = REGISTRY.get_sample_value("otc_cosign_refusals_total", labels) or 0
    with capture_logs() as logs, pytest.raises(Invalid):
        desk.cosign(replace(request, terms={**request.terms, "seller": "0x" + "z" * 5000}))
    assert REGISTRY.get_sample_value("otc_cosign_refusals_total", labels) == before + 1
    [entry] = logs
    assert (entry["event"], entry["code"]) == ("cosign refused", "malformed_terms")
    assert len(entry["reason"]) <= cosigning.MAX_REASON_CHARS


def test_a_key_that_is_down_uses_up_no_limit(desk: Desk) -> None:
    desk.limit("day", AMOUNT)
    first, second = desk.terms(1), desk.terms(2)
    desk.fund(first)
    desk.fund(second)
    working, desk.key = desk.key, BrokenKey()
    with pytest.raises(KeyDown):
        desk.cosign(desk.request(first))
    assert desk.rows() == []
    desk.key = working
    assert desk.cosign(desk.request(second))
