"""The contracts of contracts/mocks, compiled as the escrow is. The SDK ships only some of them."""

from functools import cache
from typing import Any

import solcx

from scripts.compile import ROOT, SOLC, compiler_settings


@cache
def mock(name: str) -> dict[str, Any]:
    """ABI, bytecode and runtime code of a mock."""
    path = f"contracts/mocks/{name}.sol"
    request = {
        "language": "Solidity",
        "sources": {path: {"content": (ROOT / path).read_text()}},
        "settings": compiler_settings(),
    }
    output = solcx.compile_standard(request, solc_binary=SOLC, base_path=ROOT, allow_paths=[ROOT])
    contract = output["contracts"][path][name]
    evm = contract["evm"]
    return {
        "abi": contract["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "runtime": "0x" + evm["deployedBytecode"]["object"],
    }
