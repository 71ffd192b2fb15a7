"""Signatures of the escrow's messages: whose they are, and which are none."""

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st
from otc_sdk import messages
from otc_sdk.errors import SignatureError
from otc_sdk.messages import MAX_SIGNATURE_BYTES, check, compact, recover
from otc_sdk.terms import EscrowDomain, digest

from tests.chain import account_of

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DOMAIN = EscrowDomain(31337, account_of("escrow").address)
ORDER_ID = b"\x01" * 32
SIGNER, STRANGER = account_of("signer"), account_of("stranger")
MESSAGE = messages.dispute(DOMAIN, ORDER_ID)
SIGNATURE = messages.sign(SIGNER, MESSAGE)
R, S, V = SIGNATURE[:32], SIGNATURE[32:64], SIGNATURE[64]


@pytest.mark.parametrize("signature", [SIGNATURE, compact(SIGNATURE)], ids=["65", "64"])
def test_both_forms_are_the_signers(signature: bytes) -> None:
    assert recover(digest(MESSAGE), signature) == SIGNER.address
    check(SIGNER.address, MESSAGE, signature)


@given(st.integers(1, 2**64), st.binary(min_size=32, max_size=32))
def test_any_key_over_any_order(key: int, order_id: bytes) -> None:
    account = Account.from_key(key.to_bytes(32, "big"))
    message = messages.settlement(DOMAIN, order_id, 5, 9)
    signature = messages.sign(account, message)
    assert recover(digest(message), signature) == account.address
    assert recover(digest(message), compact(signature)) == account.address


def test_a_high_s_is_refused() -> None:
    high = CURVE_ORDER - int.from_bytes(S, "big")
    twin = R + high.to_bytes(32, "big") + bytes([27 + 28 - V])
    assert recover(digest(MESSAGE), twin) is None


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        SIGNATURE[:63],
        SIGNATURE + b"\x00",
        bytes(64),
        bytes(65),
        R + S + b"\x00",
        R + S + b"\x01",
        R + S + b"\x1d",
        bytes(32) + S + bytes([V]),
        R + bytes(32) + bytes([V]),
        CURVE_ORDER.to_bytes(32, "big") + S + bytes([V]),
        b"\xff" * 65,
    ],
)
def test_malformed_signatures_are_nobodys(malformed: bytes) -> None:
    assert recover(digest(MESSAGE), malformed) is None
    with pytest.raises(SignatureError, match="malformed"):
        check(SIGNER.address, MESSAGE, malformed)


@given(st.binary(max_size=130))
def test_no_bytes_break_the_check(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        check(SIGNER.address, MESSAGE, signature)


@pytest.mark.parametrize(
    "other",
    [
        messages.dispute(DOMAIN, b"\x02" * 32),
        messages.dispute(EscrowDomain(1, DOMAIN.escrow), ORDER_ID),
        messages.dispute(EscrowDomain(31337, STRANGER.address), ORDER_ID),
        messages.refund_request(DOMAIN, ORDER_ID),
    ],
    ids=["order", "chain", "escrow", "kind"],
)
def test_a_signature_is_of_one_message_alone(other: object) -> None:
    with pytest.raises(SignatureError, match="made by"):
        check(SIGNER.address, other, SIGNATURE)  # type: ignore[arg-type]


def test_every_member_of_a_settlement_is_signed() -> None:
    signature = messages.sign(SIGNER, messages.settlement(DOMAIN, ORDER_ID, 5, 9))
    for units, until in ((4, 9), (5, 8)):
        with pytest.raises(SignatureError):
            check(SIGNER.address, messages.settlement(DOMAIN, ORDER_ID, units, until), signature)


def test_a_strangers_signature_names_the_stranger() -> None:
    with pytest.raises(SignatureError, match=STRANGER.address):
        check(SIGNER.address, MESSAGE, messages.sign(STRANGER, MESSAGE))


def test_a_contract_is_asked_with_signer_digest_and_signature() -> None:
    asked = []

    def verify(signer: str, message_digest: bytes, signature: bytes) -> bool:
        asked.append((signer, message_digest, signature))
        return True

    check(STRANGER.address, MESSAGE, b"any length", verify)
    assert asked == [(STRANGER.address, digest(MESSAGE), b"any length")]


def test_a_key_is_believed_without_asking_the_chain() -> None:
    def never(*_: object) -> bool:
        raise AssertionError

    check(SIGNER.address, MESSAGE, SIGNATURE, never)


def test_a_contract_may_say_no() -> None:
    with pytest.raises(SignatureError):
        check(STRANGER.address, MESSAGE, SIGNATURE, lambda *_: False)


def test_an_endless_signature_is_not_even_looked_at() -> None:
    with pytest.raises(SignatureError, match="longer"):
        check(STRANGER.address, MESSAGE, bytes(MAX_SIGNATURE_BYTES + 1), lambda *_: True)
