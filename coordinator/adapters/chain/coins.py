"""What a gas-paying key has, read without the key."""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address
from otc_sdk.messages import UINT256_MAX

from coordinator.adapters.chain.node import bounded, open_web3, outage


@dataclass(frozen=True)
class Coins:
    """`nonce` counts the transactions mined."""

    address: str
    balance_wei: int
    nonce: int


@outage
def read_coins(rpc_url: str, address: str) -> Coins:
    """Raises NodeDown."""
    eth = open_web3(rpc_url).eth
    account = to_checksum_address(address)
    balance_wei = bounded(eth.get_balance(account), UINT256_MAX)
    return Coins(account, balance_wei, bounded(eth.get_transaction_count(account)))
