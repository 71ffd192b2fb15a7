"""Reading raw logs: what is ours, and what never is."""

import pytest
from eth_utils.abi import event_signature_to_log_topic
from hypothesis import given
from hypothesis import strategies as st
from otc_sdk.artifacts import load
from otc_sdk.calls import event_topics

from coordinator.domain.chain_logs import ESCROW_TOPICS, MAX_UNITS, TOPICS, TRANSFER, decode
from tests.chain import account_of

ESCROW, TOKEN = account_of("escrow").address, account_of("token").address
ALICE, BOB = account_of("alice").address, account_of("bob").address
ORDER_ID = "0x" + "ab" * 32
BY_NAME = {name: topic for topic, name in ESCROW_TOPICS.items()}


def topic(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def word(value: int) -> str:
    return "0x" + value.to_bytes(32, "big").hex()


def test_a_transfer_of_any_token() -> None:
    found = decode(ESCROW, TOKEN, [TRANSFER, topic(ALICE), topic(BOB)], word(MAX_UNITS))
    assert found is not None
    assert (found.name, found.order_id, found.parties) == ("Transfer", None, (ALICE, BOB))
    assert found.values == {"from": ALICE, "to": BOB, "units": str(MAX_UNITS)}


def test_a_settlement() -> None:
    data = word(0b101) + word(70)[2:]
    found = decode(ESCROW, ESCROW, [BY_NAME["Settled"], ORDER_ID], data)
    assert found is not None
    assert (found.name, found.order_id, found.parties) == ("Settled", ORDER_ID, ())
    assert found.values == {"roles": 5, "units": "70"}


def test_a_failed_settlement_names_the_order_in_its_second_topic() -> None:
    found = decode(ESCROW, ESCROW, [BY_NAME["SettlementFailed"], word(3), ORDER_ID], "0x")
    assert found is not None
    assert found.order_id == ORDER_ID


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"Settled", "SettlementFailed"}))
def test_every_event_of_an_order_names_it_first(name: str) -> None:
    found = decode(ESCROW, ESCROW, [BY_NAME[name], ORDER_ID, topic(ALICE), topic(BOB)], "0x")
    assert found is not None
    assert (found.name, found.order_id) == (name, ORDER_ID)


@pytest.mark.parametrize(
    ("name", "topics", "data"),
    [
        ("Settled", [ORDER_ID], "0x01"),
        ("Disputed", [], "0x"),
        ("SettlementFailed", [word(3)], "0x"),
    ],
)
def test_what_the_escrow_cannot_have_emitted_is_not_read(
    name: str, topics: list[str], data: str
) -> None:
    """Found: such an event, which one node invented, ended the watcher."""
    assert decode(ESCROW, ESCROW, [BY_NAME[name], *topics], data) is None


@pytest.mark.parametrize("name", ["Published", "SettlementFailed", "Swept"])
def test_what_anybody_can_emit_for_any_order_is_not_kept(name: str) -> None:
    """Found: an order's log of events, read at each of its changes, had no limit."""
    found = decode(ESCROW, ESCROW, [BY_NAME[name], ORDER_ID, ORDER_ID], "0x")
    assert found is not None
    assert found.empty


def test_every_event_of_the_contract_is_known() -> None:
    declared = {entry["name"] for entry in load("Escrow")["abi"] if entry["type"] == "event"}
    orders = declared - {"EIP712DomainChanged"}
    assert orders <= set(BY_NAME)
    assert len(TOPICS) == 1 + len(event_topics())


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_another_contract_cannot_speak_for_the_escrow(name: str) -> None:
    assert decode(ESCROW, TOKEN, [BY_NAME[name], ORDER_ID, ORDER_ID], word(1) + "00" * 32) is None


@pytest.mark.parametrize(
    ("topics", "data"),
    [
        ([], "0x"),
        (["0x" + event_signature_to_log_topic("Other()").hex()], "0x"),
        ([TRANSFER], word(1)),
        # ERC-721: the fourth topic is the number of the token.
        ([TRANSFER, topic(ALICE), topic(BOB), word(1)], "0x"),
        ([TRANSFER, topic(ALICE), topic(BOB)], "0x"),
        ([TRANSFER, topic(ALICE), topic(BOB)], "0x01"),
    ],
)
def test_what_is_not_ours_is_left_alone(topics: list[str], data: str) -> None:
    assert decode(ESCROW, TOKEN, topics, data) is None


@given(st.binary(max_size=96))
def test_no_token_can_break_the_reader(data: bytes) -> None:
    found = decode(ESCROW, TOKEN, [TRANSFER, topic(ALICE), topic(BOB)], "0x" + data.hex())
    if found is not None:
        assert int(found.values["units"]) == int.from_bytes(data[:32], "big")


@pytest.mark.parametrize(("units", "read"), [(MAX_UNITS, True), (MAX_UNITS + 1, False)])
def test_more_than_any_token_has_is_not_read(units: int, read: bool) -> None:
    """Found by review: a few of the largest numbers overflowed the sum, and ended the watcher."""
    found = decode(ESCROW, TOKEN, [TRANSFER, topic(ALICE), topic(BOB)], word(units))
    assert (found is not None) is read
