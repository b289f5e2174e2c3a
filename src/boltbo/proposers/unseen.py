"""Another proposer's candidates without those that were scored before."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from boltbo.problem import Task, Trajectory
from boltbo.proposers.base import Progress, Proposal, Proposer


class Unseen:
    """What `proposer` gives, less what is known of a task: no oracle call is paid twice.

    Args:
        proposer: Is asked for twice as many candidates as are wanted.
        seen: Task id -> its known candidates.
    """

    def __init__(self, proposer: Proposer, seen: Mapping[str, Collection[str]]) -> None:
        self.proposer = proposer
        self.seen = seen

    @classmethod
    def of(cls, proposer: Proposer, solved: Sequence[Trajectory]) -> Unseen:
        """Neither what was scored of these tasks nor what was asked for in its place."""
        return cls(proposer, {x.task.id: {t for o in x.observations for t in (o.candidate, o.asked)} for x in solved})

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        """Up to `n` for each task; fewer where the proposer has hardly anything new to say."""
        found = self.proposer.propose(tasks, 2 * n, seed, progress)
        return [
            [p for p in proposals if p[0] not in self.seen.get(task.id, ())][:n]
            for task, proposals in zip(tasks, found, strict=True)
        ]
