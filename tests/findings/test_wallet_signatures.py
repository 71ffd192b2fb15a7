"""Found: what a wallet contract signed in 65 bytes went on chain in 64, as if a key had signed it.

The coordinator and the co-signer had taken it, and the wallet knew it no more.
"""

import pytest
from otc_sdk import messages
from otc_sdk.chain import EscrowAccount
from otc_sdk.roles import Role

from tests.chain import account_of
from tests.findings.world import ANSWER, EVIL, LiveWorld
from tests.world import AMOUNT, BUYER, SELLER

# ERC-1271 as OpenZeppelin's ECDSA has it: says yes to 65 bytes, refuses any other length.
TAKES_65_BYTES = "0x604435604114600c575f5ffd5b" + ANSWER
OWNER = account_of("owner of a wallet")


@pytest.fixture
def order_id(live: LiveWorld) -> str:
    """An order whose seller is such a wallet."""
    return live.funded(seller=EVIL)


def test_through_the_coordinator(live: LiveWorld, order_id: str) -> None:
    until = live.now + 3600
    signed = live.settlement_signature(order_id, OWNER, AMOUNT, until)
    with live.code(EVIL.address, TAKES_65_BYTES):
        live.sign_settlement(order_id, EVIL, AMOUNT, until, signed)
        live.sign_settlement(order_id, BUYER, AMOUNT, until)
        live.carry()
    assert live.status(order_id) == "completed"


def test_by_the_sdk(live: LiveWorld, order_id: str) -> None:
    terms, until = live.terms(order_id), live.now + 3600
    signed = {
        role: live.settlement_signature(order_id, account, AMOUNT, until)
        for role, account in ((Role.SELLER, OWNER), (Role.BUYER, BUYER))
    }
    account = EscrowAccount(live.anvil.w3, live.platform.domain, live.owner)
    with live.code(EVIL.address, TAKES_65_BYTES):
        account.settle(terms, AMOUNT, until, signed)
    assert live.tokens(terms.buyer) == AMOUNT - terms.fee_units


def test_a_keys_signature_is_sent_in_64_bytes(live: LiveWorld) -> None:
    terms = live.terms(live.funded())
    order_id = terms.order_id(live.platform.domain)
    message = messages.settlement(live.platform.domain, order_id, AMOUNT, live.now + 3600)
    by = {Role.SELLER: SELLER, Role.BUYER: BUYER}
    signed = {role: messages.sign(account, message) for role, account in by.items()}
    sent = messages.as_sent(terms, message, signed)
    assert [len(signature) for signature in sent.values()] == [64, 64]
    assert messages.as_sent(terms, message, sent) == sent
    for role, signature in sent.items():
        messages.check(terms.holder(role), message, signature)
