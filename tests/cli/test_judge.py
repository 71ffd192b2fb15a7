"""`otc cosigner judge`: a person judges, and the chain takes it."""

import json
from pathlib import Path

import pytest
from otc_sdk import calls
from otc_sdk.roles import Role

from tests.cli.command import Otc, refused
from tests.cli.operator import Settings
from tests.findings.world import LiveWorld
from tests.world import AMOUNT, COORDINATOR, PLATFORM, SELLER

SHARE = AMOUNT // 4


@pytest.fixture
def order_id(live: LiveWorld) -> str:
    """An order in dispute."""
    order_id = live.funded()
    live.mark_paid(order_id)
    live.open_dispute(order_id)
    live.carry()
    assert live.disputed(order_id)
    return order_id


@pytest.fixture
def papers(live: LiveWorld, order_id: str, tmp_path: Path) -> dict[str, Path]:
    """The order's file, and the seller's signature of a split until long after the window."""
    order, until = live.order(order_id), live.now + 2 * PLATFORM.ruling_window_seconds
    domain, terms = live.platform.domain, live.terms(order_id)
    facts = {
        "id": order_id,
        "terms": order.terms,
        "seller": terms.seller,
        "buyer": terms.buyer,
        "arbitrator": terms.arbitrator,
        "amount_units": str(terms.amount_units),
        "created_at": 0,
        "escrow": {"vault": order.vault, "refund_requested_at": 0, "disputed_at": 0},
        "platform": {
            "chain_id": domain.chain_id,
            "escrow": domain.escrow,
            "token_symbol": "USDT",
            "token_decimals": 6,
        },
    }
    signed = {
        "order": order_id,
        "role": "seller",
        "to_buyer_units": str(SHARE),
        "valid_until": until,
        "signature": "0x" + live.settlement_signature(order_id, SELLER, SHARE, until).hex(),
    }
    written = {"order": facts, "seller": signed, "key": COORDINATOR.encrypt("p", iterations=2)}
    paths = {name: tmp_path / f"{name}.json" for name in written}
    for name, content in written.items():
        paths[name].write_text(json.dumps(content))
    return paths


def test_a_judgement_from_the_cosigners_machine_to_the_chain(
    otc: Otc, live: LiveWorld, settings: Settings, order_id: str, papers: dict[str, Path]
) -> None:
    env = {
        **settings,
        "OTC_COSIGNER_KEY": f"keystore:{papers['key']}",
        "OTC_KEYSTORE_PASSWORD": "p",
        "OTC_FEE_RECIPIENT": PLATFORM.fee_recipient,
    }
    words = ("cosigner", "judge", "--offline", papers["order"], "--signed", papers["seller"])
    words = (*words, "--why", "no proof of payment", "--yes", "--json")
    refused(otc(*words, **env), "the arbitrator alone rules until")

    live.mine(at=live.now + PLATFORM.ruling_window_seconds)
    result = otc(*words, **env)
    assert result.exit_code == 0, result.output
    judgement = json.loads(result.stdout)
    signatures = {
        Role.SELLER: bytes.fromhex(json.loads(papers["seller"].read_text())["signature"][2:]),
        Role.COORDINATOR: bytes.fromhex(judgement["signature"][2:]),
    }
    terms, until = live.terms(order_id), judgement["valid_until"]
    before = live.tokens(terms.buyer)
    live.anvil.send(
        live.owner, live.platform.domain.escrow, calls.settle(terms, SHARE, until, signatures)
    )
    assert 0 < live.tokens(terms.buyer) - before <= SHARE
