"""Asking for the logs of a range of blocks that concern our vaults."""

from coordinator.domain.chain_logs import TRANSFER
from coordinator.services.ports import ChainReader, RawLog

MAX_TOPICS_PER_QUERY = 500


def range_logs(
    node: ChainReader, escrow: str, vaults: list[str], first: int, last: int
) -> list[RawLog]:
    """The escrow's events and the transfers of the vaults, each once."""
    logs = node.logs_in_range(first, last, [], escrow)
    for at in range(0, len(vaults), MAX_TOPICS_PER_QUERY):
        some = [topic_of(vault) for vault in vaults[at : at + MAX_TOPICS_PER_QUERY]]
        logs += transfers(node, first, last, some)
    return list(set(logs))


def transfers(node: ChainReader, first: int, last: int, vaults: list[str]) -> list[RawLog]:
    into = node.logs_in_range(first, last, [TRANSFER, None, vaults], None)
    return into + node.logs_in_range(first, last, [TRANSFER, vaults], None)


def topic_of(address: str) -> str:
    """An address as a topic: a word, padded on the left."""
    return "0x" + address[2:].lower().rjust(64, "0")
