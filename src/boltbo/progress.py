"""Progress bars on long work, on standard error, and nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Update = Callable[[int, int], None]
"""update(done, total)"""


class Bars:
    """One bar for each stretch of work.

    Args:
        show: None: bars on a terminal, a plain line at the end of each stretch elsewhere (a log); False: neither.
    """

    def __init__(self, show: bool | None = None) -> None:
        self.show = sys.stderr.isatty() if show is None else show
        self.quiet = show is False

    def note(self, text: str) -> None:
        """A line that stays."""
        print(text, file=sys.stderr, flush=True)

    @contextmanager
    def track(self, label: str, total: int) -> Iterator[Update]:
        if not self.show:
            began, last = time.monotonic(), [0]
            yield lambda done, total: last.__setitem__(0, done)
            if not self.quiet and time.monotonic() - began > 2:
                self.note(f"{label}: {last[0]} in {time.monotonic() - began:.0f} s")
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
