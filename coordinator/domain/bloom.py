"""Whether a block's filter lets a log be there: an empty answer may be a lie or a gap."""

from collections.abc import Iterable

from eth_bloom.bloom import BloomFilter


def may_hold(bloom: int, parts: Iterable[bytes]) -> bool:
    """Whether a log with all these addresses and topics can be in the block (Yellow Paper 4.3.1).

    False is certain, True is not. A bloom of 0 comes from a block without logs.
    """
    blocks_bloom = BloomFilter(bloom)
    return all(part in blocks_bloom for part in parts)
