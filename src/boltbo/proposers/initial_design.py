"""The domain's own initial design: what every run starts from while there is no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.domain import Domain
from boltbo.problem import Task
from boltbo.proposers.base import Progress, Proposal, seed_of


class InitialDesign:
    """The domain's default first, then its design."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        proposals = []
        for task in tasks:
            proposals.append(self._one(task, n, seed_of(seed, "design", task.id)))
            if progress is not None:
                progress(len(proposals), len(tasks))
        return proposals

    def _one(self, task: Task, n: int, seed: int) -> list[Proposal]:
        grammar = self.domain.grammar(task)
        design = self.domain.initial_design(task, n, np.random.default_rng(seed))
        distinct = dict.fromkeys(grammar.canonical(text) for text in design)
        return [(c, "design" if i else "default") for i, c in enumerate(distinct)][:n]
