"""Deploy the escrow with brownie; the logic and deployments/<chain>.json are those of `otc deploy`.

    scripts/brownie run deploy --network sepolia

The payer is the account of OTC_KEYSTORE or OTC_PRIVATE_KEY. On the development network, which ends
with the command, it is an account made for the purpose.
"""

from dataclasses import asdict
from pathlib import Path

from brownie import accounts, network, web3
from otc_sdk import deployment, keystore
from otc_sdk.deploying import deploy_and_record
from otc_sdk.errors import OtcError
from otc_sdk.networks import Network, find_network

DEPLOYMENTS = Path(__file__).resolve().parent.parent / "deployments"
DEVELOPMENT_COINS = "10 ether"


def main() -> None:
    """What `brownie run deploy` calls. A refusal is one line and exit code 1."""
    try:
        # A development chain ends with its command: whatever was recorded of one is of no use.
        found, is_new = deploy_and_record(
            active_network(), DEPLOYMENTS, payer, replace=on_development()
        )
    except OtcError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{found.chain}: {'deployed' if is_new else 'already deployed'}")
    for name, value in asdict(found).items():
        print(f"{name:12} {value}")
    print(f"{'file':12} {deployment.path_of(DEPLOYMENTS, found.chain)}")


def active_network() -> Network:
    """The network brownie is connected to, as otc_sdk names it."""
    name = network.show_active()
    if on_development():
        return Network(name, web3.eth.chain_id, web3.provider.endpoint_uri)
    return find_network(name)


def on_development() -> bool:
    return network.show_active() == "development"


def payer():
    """Who pays: the caller's key, or on the development chain a new one with its coins."""
    if not on_development():
        return keystore.load_account()
    made = accounts.add()
    accounts[0].transfer(made, DEVELOPMENT_COINS, silent=True)
    return keystore.from_key(made.private_key)
