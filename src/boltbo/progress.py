"""Progress bars on long work, on standard error, and nothing where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Update = Callable[[int, int], None]
"""update(done, total)"""


class Bars:
    """One bar for each stretch of work. `show` None: on a terminal only."""

    def __init__(self, show: bool | None = None) -> None:
        self.show = sys.stderr.isatty() if show is None else show

    def note(self, text: str) -> None:
        """A line that stays."""
        print(text, file=sys.stderr)

    @contextmanager
    def track(self, label: str, total: int) -> Iterator[Update]:
        if not self.show:
            yield lambda done, total: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(),
        )  # fmt: skip
        console = Console(stderr=True)
        with Progress(*columns, console=console, refresh_per_second=4) as progress:
            task = progress.add_task(label, total=total)

            def update(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            yield update
