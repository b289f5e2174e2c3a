"""What a domain hands to the command line: itself, its tasks, and how to make a task of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boltbo.domain import Domain
from boltbo.problem import Task
from boltbo.system.progress import Bars


@dataclass(frozen=True, slots=True)
class Built:
    """What a domain's `build` gives."""

    domain: Domain
    tasks: Sequence[Task]
    validation: Sequence[Task]
    task_from: Callable[[Path], Task] | None = None


Build = Callable[[Mapping[str, Any], int, Path, Bars], AbstractContextManager[Built]]
"""build(options of the [domain] table, seed, folder for caches, progress bars) -> context manager"""
