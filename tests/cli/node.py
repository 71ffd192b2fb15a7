"""A chain of one test: it starts anew, and only the test's own transactions are on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web3 import Web3

from tests.chain import Anvil

ROOT = Path(__file__).resolve().parents[2]
# The first account that anvil funds; its key is public.
RICH_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


class Node(Anvil):
    """An anvil, seen from the command line."""

    def sent_by(self, address: str) -> int:
        """How many transactions of the account were mined."""
        return self.w3.eth.get_transaction_count(Web3.to_checksum_address(address))


@contextmanager
def running(*options: str) -> Iterator[Node]:
    """A chain with anvil's options, stopped at the end."""
    node = Node(*options)
    node.start()
    try:
        yield node
    finally:
        node.stop()
