"""What a person sees who waits for a watcher to catch up."""

import io

from rich.console import Console

from coordinator.adapters.backfill_bar import BackfillBar
from coordinator.domain.progress import Progress


def test_the_bar_shows_the_blocks_and_goes_away() -> None:
    out = io.StringIO()
    bar = BackfillBar(Console(file=out, force_terminal=True, width=100))
    bar.show(Progress(1, 500, 1000, 7))
    assert bar.bar is not None
    bar.bar.refresh()
    assert "reading blocks" in out.getvalue()
    assert "500/1000" in out.getvalue()
    bar.show(Progress(1, 1000, 1000, 7))
    assert bar.bar is None


def test_percent() -> None:
    assert [Progress(1, done, 200, 0).percent for done in (1, 100, 200)] == [0, 50, 100]
