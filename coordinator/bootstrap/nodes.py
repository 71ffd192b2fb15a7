"""The chain's nodes; some may be down."""

import structlog
from otc_sdk.errors import ChainError

from coordinator.adapters.chain.node import Node
from coordinator.adapters.chain.nodes import Pool
from coordinator.services.ports import NodeDown
from coordinator.settings import Settings

log = structlog.get_logger()


def build_pool(settings: Settings) -> Pool:
    """All nodes; some may be down. Raises NodeDown if all are, ChainError for another chain's."""
    nodes = [Node(rpc_url, settings.finality) for rpc_url in settings.rpc_urls]
    failures = [failure for node in nodes if (failure := failure_of(node, settings)) is not None]
    if len(failures) == len(nodes):
        raise failures[0]
    for failure in failures:
        log.warning("a node is down", error=str(failure))
    return Pool([(node.name, node) for node in nodes])


def failure_of(node: Node, settings: Settings) -> NodeDown | None:
    try:
        require_chain(node, settings)
    except NodeDown as failure:
        return failure
    return None


def require_chain(node: Node, settings: Settings) -> None:
    actual = node.chain_id()
    if actual != settings.chain_id:
        raise ChainError(
            f"the node {node.name} is on chain {actual}, the settings say {settings.chain_id}"
        )


def open_node(rpc_url: str, settings: Settings) -> Node:
    """One node. Raises NodeDown, or ChainError for a node on another chain."""
    node = Node(rpc_url, settings.finality)
    require_chain(node, settings)
    return node
