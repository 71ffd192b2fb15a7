"""What every order of this platform has in common, with what its contracts say of themselves."""

from eth_utils.address import to_checksum_address
from otc_sdk.artifacts import load
from otc_sdk.errors import ChainError
from otc_sdk.terms import EscrowDomain

from coordinator.adapters.chain.node import open_web3
from coordinator.adapters.chain.nodes import Ranked
from coordinator.bootstrap.nodes import build_pool
from coordinator.domain.platform import Platform
from coordinator.settings import Settings


def build_platform(settings: Settings) -> Platform:
    """Raises NodeDown, or ChainError if escrow or token are not there."""
    node = Ranked(build_pool(settings))
    for name, address in (("escrow", settings.escrow), ("token", settings.token)):
        if not node.has_code(address):
            raise ChainError(f"no code at {address}, where the {name} should be")
    w3 = open_web3(*settings.rpc_urls)
    token = w3.eth.contract(to_checksum_address(settings.token), abi=load("TetherMock")["abi"])
    return Platform(
        domain=EscrowDomain(settings.chain_id, to_checksum_address(settings.escrow)),
        token=to_checksum_address(settings.token),
        token_symbol=token.functions.symbol().call(),
        token_decimals=token.functions.decimals().call(),
        coordinator=to_checksum_address(settings.coordinator),
        arbitrator=to_checksum_address(settings.arbitrator),
        fee_bps=settings.fee_bps,
        fee_recipient=to_checksum_address(settings.fee_recipient),
        fund_by_seconds=settings.fund_by_seconds,
        refund_window_seconds=settings.refund_window_seconds,
        ruling_window_seconds=settings.ruling_window_seconds,
        final_window_seconds=settings.final_window_seconds,
        default_buyer_bps=settings.default_buyer_bps,
        payment_methods=frozenset(settings.payment_methods),
    )
