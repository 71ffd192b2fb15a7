"""ABI and bytecode of the contracts, written by scripts/compile.py."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(contract: str) -> dict[str, Any]:
    """Artifact of "Escrow" or "TetherMock".

    Keys: compiler, abi, bytecode, deployed_bytecode, immutables (list of {start, length} bytes).
    """
    loaded: dict[str, Any] = json.loads(files(__name__).joinpath(f"{contract}.json").read_text())
    return loaded
