"""The proposer's door: what gives a run its first candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from boltbo.problem import Task, Trajectory

Proposal = tuple[str, str]
"""(candidate in canonical form, source)"""

Progress = Callable[[int, int], None]
"""progress(tasks done, tasks)"""


class Proposer(Protocol):
    """Gives each of many tasks its first candidates. `Campaign(proposer=…)` takes one of your own."""

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        """Up to `n` distinct candidates for each task, in the order in which they should be scored."""
        ...


@runtime_checkable
class LearningProposer(Proposer, Protocol):
    """A proposer that learns from finished runs."""

    def learn(self, solved: Sequence[Trajectory]) -> None:
        """Forget what was learnt, and learn from these: called before the candidates of a stage are asked for.

        Args:
            solved: What was observed of each task that was finished in an earlier round, or imported; none at first.
        """
        ...


def for_each(
    tasks: Sequence[Task], progress: Progress | None, one: Callable[[Task], list[Proposal]]
) -> list[list[Proposal]]:
    """`one` of each task, telling how far it is."""
    proposals = []
    for task in tasks:
        proposals.append(one(task))
        if progress is not None:
            progress(len(proposals), len(tasks))
    return proposals


def seed_of(seed: int, *parts: object) -> int:
    """A seed of 31 bits for one purpose, the same on every machine, unrelated to that of any other purpose."""
    text = repr((seed, *map(str, parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
