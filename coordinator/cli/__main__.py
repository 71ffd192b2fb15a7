"""`python -m coordinator.cli`: the same as `otc`, without an installed script."""

from coordinator.cli import app

app()
