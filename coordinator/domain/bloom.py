"""Whether a block's filter lets a log be there: an empty answer may be a lie or a gap."""

from collections.abc import Collection, Iterable, Mapping

from eth_bloom.bloom import BloomFilter


def may_hold(bloom: int, parts: Iterable[bytes]) -> bool:
    """Whether a log with all these addresses and topics can be in the block (Yellow Paper 4.3.1).

    False is certain, True is not. A bloom of 0 comes from a block without logs.
    """
    blocks_bloom = BloomFilter(bloom)
    return all(part in blocks_bloom for part in parts)


def is_suspect(bloom: int, ours: Mapping[str, Iterable[str]], said: Collection[str]) -> bool:
    """Whether logs of ours may be in a block that is said to have none of them.

    `ours` are topics by address, `said` the addresses of which there are logs; 0x hex text.
    """
    return any(
        may_hold(bloom, (bytes.fromhex(address[2:]), bytes.fromhex(topic[2:])))
        for address, topics in ours.items()
        if address not in said
        for topic in topics
    )
