"""Progress bars on long work, on standard error, and nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Update = Callable[[int, int], None]
"""update(done, total)"""

EVERY = 60.0
"""Seconds between the lines of a log."""


class Bars:
    """One bar for each stretch of work.

    Args:
        show: None: bars on a terminal; elsewhere (a log) a plain line at the end of each stretch, and one every `EVERY`
            seconds; False: neither.
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
            yield from self._lines(label)
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

    def _lines(self, label: str) -> Iterator[Update]:
        began = said = time.monotonic()
        last = 0

        def update(done: int, total: int) -> None:
            nonlocal said, last
            last = done
            if not self.quiet and time.monotonic() - said > EVERY:
                said = time.monotonic()
                self.note(f"{label}: {done} of {total} in {said - began:.0f} s")

        yield update
        if not self.quiet and time.monotonic() - began > 2:
            self.note(f"{label}: {last} in {time.monotonic() - began:.0f} s")
