"""Compile the contracts with py-solc-x and write what the SDK loads: ABI and bytecode.

    python scripts/compile.py           writes sdk/otc_sdk/artifacts/<Contract>.json
    python scripts/compile.py --check   exits 1 if they differ from the sources, and names them

The settings are those of foundry.toml, so every tool makes the same bytecode.
"""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import solcx
from solcx.wrapper import get_version_str_from_solc_binary

ROOT = Path(__file__).resolve().parent.parent
SOLC = ROOT / "scripts" / "solc"
ARTIFACTS = ROOT / "sdk" / "otc_sdk" / "artifacts"
CONTRACTS = {
    "Escrow": "contracts/Escrow.sol",
    "TetherMock": "contracts/mocks/TetherMock.sol",
}


def compiler_settings() -> dict[str, Any]:
    """The `settings` of the compiler's standard JSON input."""
    profile = tomllib.loads((ROOT / "foundry.toml").read_text())["profile"]["default"]
    return {
        "remappings": profile["remappings"],
        "evmVersion": profile["evm_version"],
        "viaIR": profile["via_ir"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "metadata": {
            "bytecodeHash": profile["bytecode_hash"],
            "appendCBOR": profile["cbor_metadata"],
        },
        "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode"]}},
    }


def compile_contracts() -> dict[str, str]:
    """Contract name -> artifact as JSON text. Raises SolcError with the compiler's words."""
    request = {
        "language": "Solidity",
        "sources": {path: {"content": (ROOT / path).read_text()} for path in CONTRACTS.values()},
        "settings": compiler_settings(),
    }
    output = solcx.compile_standard(request, solc_binary=SOLC, base_path=ROOT, allow_paths=[ROOT])
    compiler = get_version_str_from_solc_binary(SOLC)
    return {
        name: json.dumps(artifact(output["contracts"][path][name], compiler), indent=1) + "\n"
        for name, path in CONTRACTS.items()
    }


def artifact(contract: dict[str, Any], compiler: str) -> dict[str, Any]:
    """What is kept of one contract. `immutables` are the byte ranges set at deployment."""
    deployed = contract["evm"]["deployedBytecode"]
    ranges = [r for group in deployed["immutableReferences"].values() for r in group]
    return {
        "compiler": compiler,
        "abi": contract["abi"],
        "bytecode": "0x" + contract["evm"]["bytecode"]["object"],
        "deployed_bytecode": "0x" + deployed["object"],
        "immutables": sorted(ranges, key=lambda r: r["start"]),
    }


def main() -> int:
    check = "--check" in sys.argv[1:]
    stale = []
    for name, text in compile_contracts().items():
        path = ARTIFACTS / f"{name}.json"
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not check:
                path.write_text(text)
    if check and stale:
        print(f"stale artifacts: {', '.join(stale)}; run `make artifacts`", file=sys.stderr)
        return 1
    print(f"{len(CONTRACTS)} contracts compiled; {len(stale)} artifacts differed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
