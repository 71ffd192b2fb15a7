"""Run the native forge with the given arguments, e.g. `python scripts/forge.py test`.

The wrapper that npm puts beside it exits 0 when tests fail, so it is never used.
"""

import os
import platform
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def packaged_binary(tool: str) -> Path:
    """Where npm puts the native binary for this platform, whether it is there or not."""
    system = SYSTEMS.get(platform.system(), platform.system().lower())
    machine = MACHINES.get(platform.machine(), platform.machine())
    name = f"{tool}.exe" if system == "win32" else tool
    return ROOT / "node_modules" / "@foundry-rs" / f"{tool}-{system}-{machine}" / "bin" / name


def find_binary(tool: str) -> str:
    """Path of a native `forge` or `anvil`. Raises SystemExit saying what is missing."""
    packaged = packaged_binary(tool)
    if packaged.is_file():
        return str(packaged)
    on_path = shutil.which(tool)
    if on_path is None:
        raise SystemExit(f"no {tool}: {packaged} is missing (run `npm ci`) and PATH has none")
    return on_path


def main() -> None:
    binary = find_binary("forge")
    os.execv(binary, [binary, *sys.argv[1:]])  # noqa: S606 - the arguments are the caller's own


if __name__ == "__main__":
    main()
