"""What a gas-paying key has, read without the key."""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from coordinator.adapters.chain.node import open_web3, outage


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
    return Coins(account, eth.get_balance(account), eth.get_transaction_count(account))
