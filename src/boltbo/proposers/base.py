"""The proposer's door."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

from boltbo.problem import Task

Proposal = tuple[str, str]
"""(candidate in canonical form, source)"""

Progress = Callable[[int, int], None]
"""progress(tasks done, tasks)"""


class Proposer(Protocol):
    """Gives each of many tasks its first candidates."""

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        """Up to `n` distinct candidates for each task, in the order in which they should be scored."""
        ...


def for_each(
    tasks: Sequence[Task], progress: Progress | None, one: Callable[[Task], list[Proposal]]
) -> list[list[Proposal]]:
    """`one` of each task, telling how far it is."""
    found = []
    for task in tasks:
        found.append(one(task))
        if progress is not None:
            progress(len(found), len(tasks))
    return found


def seed_of(seed: int, *parts: object) -> int:
    """A seed of 31 bits for one purpose, the same on every machine, unrelated to that of any other purpose."""
    text = repr((seed, *map(str, parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
