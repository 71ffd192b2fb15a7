"""An order's ends, on the contracts as brownie builds them."""

import brownie
from brownie import chain
from conftest import AMOUNT, FEE, PAY_BY_SECONDS, REFUND_WINDOW_SECONDS
from otc_sdk.artifacts import load
from otc_sdk.roles import Role


def test_the_sdk_computes_what_the_contract_does(trade):
    assert trade.escrow.orderIdOf(trade.order) == "0x" + trade.id.hex()
    assert trade.escrow.vaultOf(trade.id) == trade.vault


def test_the_build_is_the_sdk_artifact_and_metadata():
    for contract in (brownie.Escrow, brownie.TetherMock):
        built = contract._build["deployedBytecode"]
        assert built.startswith(load(contract._name)["deployed_bytecode"].removeprefix("0x"))


def test_release_pays_buyer_and_fee(trade):
    trade.fund()
    assert trade.token.balanceOf(trade.vault) == AMOUNT

    tx = trade.settle(AMOUNT, trade.signed(AMOUNT, Role.SELLER), trade.parties[Role.COORDINATOR])

    assert tx.events["Settled"]["toBuyer"] == AMOUNT
    assert trade.token.balanceOf(trade.terms.buyer) == AMOUNT - FEE
    assert trade.token.balanceOf(trade.terms.fee_recipient) == FEE
    assert trade.token.balanceOf(trade.vault) == 0


def test_an_order_settles_once(trade):
    trade.fund()
    signatures = trade.signed(AMOUNT, Role.SELLER)
    trade.settle(AMOUNT, signatures, trade.parties[Role.COORDINATOR])

    with refused("AlreadySettled"):
        trade.settle(AMOUNT, signatures, trade.parties[Role.COORDINATOR])


def test_the_seller_takes_a_refund_by_time(trade):
    trade.fund()
    seller = trade.parties[Role.SELLER]
    before = trade.token.balanceOf(seller)
    with refused("TooEarly"):
        trade.escrow.requestRefund(trade.order, b"", {"from": seller})

    chain.sleep(PAY_BY_SECONDS + 1)
    trade.escrow.requestRefund(trade.order, b"", {"from": seller})
    with refused("NotAllowed"):
        trade.settle(0, b"", seller)
    chain.sleep(REFUND_WINDOW_SECONDS + 1)
    trade.settle(0, b"", seller)

    assert trade.token.balanceOf(seller) == before + AMOUNT


def test_a_ruling_splits_a_disputed_order(trade):
    trade.fund()
    buyer, arbitrator = trade.parties[Role.BUYER], trade.parties[Role.ARBITRATOR]
    ruling = AMOUNT * 2 // 5
    with refused("NotAllowed"):
        trade.settle(ruling, trade.signed(ruling, Role.BUYER), arbitrator)

    trade.escrow.dispute(trade.order, Role.BUYER, b"", {"from": buyer})
    trade.settle(ruling, trade.signed(ruling, Role.BUYER), arbitrator)

    assert trade.token.balanceOf(buyer) == ruling - FEE * 2 // 5
    assert trade.token.balanceOf(trade.vault) == 0


def test_a_bad_signature_moves_nothing(trade):
    trade.fund()
    forged = trade.signed(AMOUNT, Role.SELLER, by=trade.parties[Role.BUYER])

    with refused("InvalidSignature"):
        trade.settle(AMOUNT, forged, trade.parties[Role.COORDINATOR])
    assert trade.token.balanceOf(trade.vault) == AMOUNT


def refused(error):
    """The transaction reverts with this error of the escrow."""
    return brownie.reverts(revert_pattern=f"(?s){error}:.*")
