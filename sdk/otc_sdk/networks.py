"""The chains by name."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from otc_sdk.errors import ChainError

NAME_PATTERN = "^[a-z0-9-]{1,40}$"


@dataclass(frozen=True)
class Network:
    """A chain by name, and a node of it.

    The built-in public nodes are good for a try; give your own for real use.
    """

    name: str
    chain_id: int
    rpc_url: str


NETWORKS = {
    network.name: network
    for network in (
        Network("local", 31337, "http://127.0.0.1:8545"),
        Network("sepolia", 11155111, "https://ethereum-sepolia-rpc.publicnode.com"),
        Network("arbitrum-sepolia", 421614, "https://sepolia-rollup.arbitrum.io/rpc"),
        Network("bsc-testnet", 97, "https://data-seed-prebsc-1-s1.bnbchain.org:8545"),
    )
}


def find_network(
    name: str,
    rpc_url: str | None = None,
    chain_id: int | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Network:
    """A built-in network, or any other by its name, node and chain id.

    The node is `rpc_url`, else OTC_RPC_URL_<NAME> (upper case, - as _), else the built-in one.
    Raises ChainError: malformed or unknown name, or a chain id that is not the network's.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ChainError(f"malformed network name {name!r}: use a-z, 0-9 and -, at most 40")
    variable = rpc_variable(name)
    url = rpc_url or environ.get(variable)
    known = NETWORKS.get(name)
    if known is not None:
        if chain_id not in (None, known.chain_id):
            raise ChainError(f"{name} is chain {known.chain_id}, not {chain_id}")
        return replace(known, rpc_url=url or known.rpc_url)
    if url is None or chain_id is None:
        raise ChainError(
            f"unknown network {name!r}: use one of {', '.join(NETWORKS)}, "
            f"or give a chain id and an RPC URL (--chain-id, --rpc-url or {variable})"
        )
    return Network(name, chain_id, url)


def rpc_variable(name: str) -> str:
    """The environment variable that holds a network's RPC URL."""
    return "OTC_RPC_URL_" + name.upper().replace("-", "_")
