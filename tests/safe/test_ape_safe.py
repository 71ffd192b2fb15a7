"""Why the scripts speak to Safe's contracts themselves (docs/decisions/0005)."""

from ape_safe.packages import MANIFESTS_BY_VERSION
from eip712.common import SAFE_VERSIONS
from packaging.version import Version


def test_ape_safe_does_not_know_safe_1_5_0_yet():
    """If this fails, its accounts may serve: think the decision over."""
    assert max(MANIFESTS_BY_VERSION) < Version("1.5.0")
    assert "1.5.0" not in SAFE_VERSIONS
