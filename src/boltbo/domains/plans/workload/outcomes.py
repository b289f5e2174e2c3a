"""What became of each query of a workload while its tasks are made: one line of JSON a query, so that a kill loses none.

Screening a large workload executes thousands of queries. The file goes when the tasks are whole.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from boltbo.problem import Task


class Outcomes:
    """What became of each query: its task, or why there is none.

    Args:
        path: A file for this workload and these options alone; None: outcomes stay in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.by_query: dict[str, Task | str] = {}
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                try:
                    name, task, reason = json.loads(line)
                except ValueError:  # the line at which the last process was killed
                    continue
                self.by_query[name] = reason if task is None else Task(**task)

    def add(self, name: str, outcome: Task | str) -> None:
        """Keep what became of a query."""
        self.by_query[name] = outcome
        if self.path is None:
            return
        task, reason = (asdict(outcome), None) if isinstance(outcome, Task) else (None, outcome)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("\n" + json.dumps([name, task, reason]))  # a torn line before it stays a line of its own

    def remove(self) -> None:
        """Delete the file: the tasks are stored elsewhere now."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
