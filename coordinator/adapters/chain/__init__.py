"""One EVM chain through its JSON-RPC node."""
