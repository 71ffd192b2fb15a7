"""A bar for a watcher that catches up, where somebody looks at a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TimeRemainingColumn
from rich.progress import Progress as Bar

from coordinator.domain.progress import Progress


class BackfillBar:
    """Shows how many of the blocks are read; it goes away when all are."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar: Bar | None = None
        self.task = TaskID(0)

    def show(self, progress: Progress) -> None:
        if self.bar is None:
            columns = "reading blocks", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self.bar = Bar(*columns, console=self.console, transient=True)
            self.task = self.bar.add_task("", total=0)
            self.bar.start()
        total = progress.last - progress.first + 1
        self.bar.update(self.task, total=total, completed=progress.done - progress.first + 1)
        if progress.done >= progress.last:
            self.bar.stop()
            self.bar = None
