"""Deploying the escrow, and verifying it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from otc_sdk.networks import NETWORKS, Network, find_network

from coordinator.cli.console import note, show

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

app = typer.Typer()

Name = Annotated[
    str, typer.Option("--network", help=f"{', '.join(NETWORKS)}, or a name for another chain.")
]
RpcUrl = Annotated[
    str | None,
    typer.Option(help="Its node. Default: a variable like OTC_RPC_URL_SEPOLIA, then a public one."),
]
ChainId = Annotated[
    int | None, typer.Option(min=1, help="Needed for a network that is not built in.")
]
Keystore = Annotated[
    Path | None,
    typer.Option(help="Who pays. Default: OTC_KEYSTORE, then the key in OTC_PRIVATE_KEY."),
]
Folder = Annotated[Path, typer.Option("--deployments", help="The folder of the deployment files.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DEPLOYMENTS = Path("deployments")


@app.command()
def deploy(
    name: Name,
    rpc_url: RpcUrl = None,
    chain_id: ChainId = None,
    keystore: Keystore = None,
    folder: Folder = DEPLOYMENTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show address, cost and funds; send nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up the record of an older build's escrow.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Deploy the escrow to a chain, and write down where it is.

    The address is the same on every chain and follows from the code. Running it again, or after
    an interruption, is safe: it finds the escrow and sends nothing. Everything is checked before
    anything is sent.

    Examples:

        otc deploy --network sepolia --dry-run
        otc deploy --network sepolia --keystore ~/.otc/deployer.json
        otc deploy --network my-chain --chain-id 4242 --rpc-url http://127.0.0.1:9545
    """
    from otc_sdk import deployment
    from otc_sdk.deploying import deploy_and_record, recorded

    network = find_network(name, rpc_url, chain_id)
    if dry_run:
        known = recorded(folder, network, replace)
        w3 = deployment.open_node(network)
        found = deployment.find(w3, network, known)
        if found is None:
            show(f"Would deploy to {name}", quote(w3, network, keystore), as_json)
            return
        is_new = False
    else:
        found, is_new = deploy_and_record(
            network, folder, lambda: payer(network, keystore), replace
        )
    title = "deployed" if is_new else "already deployed"
    path = deployment.path_of(folder, name)
    show(f"{name}: {title}", {"status": title, **asdict(found), "file": str(path)}, as_json)


def payer(network: Network, keystore: Path | None) -> "LocalAccount":
    """The caller's account, said aloud before it pays."""
    from otc_sdk.keystore import load_account

    account = load_account(keystore)
    note(f"Deploying to {network.name} as {account.address}. If interrupted, run it again.")
    return account


def quote(w3: "Web3", network: Network, keystore: Path | None) -> dict[str, object]:
    """Address, cost and, if an account is given, its funds. Wei are decimal text."""
    from otc_sdk import deployment
    from otc_sdk.keystore import is_configured, load_account

    cost = deployment.cost(w3)
    rows: dict[str, object] = {
        "status": "dry run",
        "chain": network.name,
        "chain_id": network.chain_id,
        "escrow": deployment.escrow_address(),
        "gas_limit": cost.gas_limit,
        "gas_price_wei": str(cost.gas_price_wei),
        "cost_wei": str(cost.total_wei),
        "cost": f"up to {deployment.in_coins(cost.total_wei)}",
        "account": None,
        "funds_wei": None,
        "enough": None,
    }
    if is_configured(keystore):
        account = load_account(keystore).address
        funds = deployment.balance_wei(w3, account)
        rows |= {"account": account, "funds_wei": str(funds), "enough": funds >= cost.total_wei}
    return rows


@app.command()
def verify(
    name: Name,
    rpc_url: RpcUrl = None,
    chain_id: ChainId = None,
    folder: Folder = DEPLOYMENTS,
    as_json: Json = False,
) -> None:
    """Prove that the escrow on the chain is this build's.

    Compares the code at the recorded address, byte by byte, with what this build would deploy,
    and the record with the chain. Sends nothing and needs no key.

    Examples:

        otc verify --network sepolia
        otc verify --network my-chain --rpc-url http://127.0.0.1:9545
    """
    from otc_sdk import deployment
    from otc_sdk.deploying import require_chain

    known = deployment.read(folder, name)
    if name not in NETWORKS and chain_id is None:
        chain_id = known.chain_id
    network = find_network(name, rpc_url, chain_id)
    require_chain(known, network, folder)
    deployment.verify(deployment.open_node(network), known)
    show(f"{name}: verified", {"status": "verified", **asdict(known)}, as_json)
