"""Imports point one way: the contracts in pyproject.toml hold, and are able to fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

FORBIDDEN = {
    "domain/money.py": "import time",
    "domain/orders.py": "import otc_sdk.client",
    "db/ads.py": "import coordinator.services.ads",
    "services/ads.py": "import coordinator.api.ads",
    "api/ads.py": "import coordinator.workers.loop",
    "workers/loop.py": "import coordinator.adapters.cosigner",
    "adapters/cosigner.py": "import coordinator.settings",
    "stack/ports.py": "import coordinator.services.ads",
    "demo/trader.py": "import coordinator.db.session",
    "bootstrap/platform.py": "import coordinator.stack.ports",
    "../sdk/otc_sdk/roles.py": "import coordinator.domain.errors",
}


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """import-linter over the packages in `root`."""
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(  # noqa: S603
        [command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'sdk'}"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("copy")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "coordinator", root / "coordinator", ignore=ignored)
    shutil.copytree(ROOT / "sdk", root / "sdk", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_imports_point_one_way() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("place", FORBIDDEN)
def test_an_import_the_other_way_is_noticed(copy: Path, place: str) -> None:
    file = copy / "coordinator" / place
    before = file.read_text()
    file.write_text(f"{before}\n{FORBIDDEN[place]}\n")
    try:
        done = lint(copy)
    finally:
        file.write_text(before)
    assert done.returncode != 0
    assert "BROKEN" in done.stdout
