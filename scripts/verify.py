"""Prove with brownie that deployments/<chain>.json and the chain agree, as `otc verify` does.

scripts/brownie run verify --network sepolia
"""

from otc_sdk import deployment
from otc_sdk.deploying import require_chain
from otc_sdk.errors import OtcError

from scripts import deploy


def main() -> None:
    """What `brownie run verify` calls. A refusal is one line and exit code 1."""
    network = deploy.active_network()
    try:
        known = deployment.read(deploy.DEPLOYMENTS, network.name)
        require_chain(known, network, deploy.DEPLOYMENTS)
        deployment.verify(deployment.open_node(network), known)
    except OtcError as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{network.name}: verified {known.escrow}")
