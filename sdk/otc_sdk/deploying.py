"""Deploying and writing it down, in one way: for `otc deploy` and for brownie."""

from collections.abc import Callable
from pathlib import Path

from eth_account.signers.base import BaseAccount

from otc_sdk import deployment
from otc_sdk.deployment import Deployment
from otc_sdk.errors import ChainError
from otc_sdk.networks import Network


def deploy_and_record(
    network: Network, folder: Path, payer: Callable[[], BaseAccount], replace: bool = False
) -> tuple[Deployment, bool]:
    """The deployment, and whether it is new. Writes deployments/<chain>.json if that says less.

    `payer` is asked for the account only if there is something to send. Raises ChainError before
    anything is sent if the result could not be written down, and for all that `deploy` refuses.
    """
    known = recorded(folder, network, replace)
    found = deployment.find(deployment.open_node(network), network, known)
    is_new = found is None
    if found is None:
        deployment.require_writable(folder)
        found = deployment.deploy(network, network.rpc_url, payer())
    if found != known:
        deployment.write(folder, found)
    return found, is_new


def recorded(folder: Path, network: Network, replace: bool) -> Deployment | None:
    """What the deployment file says so far. Raises ChainError if it is of another chain, or of
    another build's escrow, which live orders may need."""
    path = deployment.path_of(folder, network.name)
    if not path.exists():
        return None
    known = deployment.read(folder, network.name)
    require_chain(known, network, folder)
    if known.escrow != deployment.escrow_address() and not replace:
        raise ChainError(
            f"{path} records another build's escrow, {known.escrow}: "
            "keep a copy for its live orders, then use `otc deploy --replace`"
        )
    return known


def require_chain(known: Deployment, network: Network, folder: Path) -> None:
    """Raise ChainError if the deployment file is of another chain than the network."""
    if known.chain_id != network.chain_id:
        path = deployment.path_of(folder, network.name)
        raise ChainError(f"{path} is of chain {known.chain_id}, not {network.chain_id}")
