"""First candidates at random, and a model asked about spoilt contexts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from boltbo.domain import Domain, SearchSpace
from boltbo.problem import Task
from boltbo.proposers import InitialDesign, Proposal, Proposer, seed_of
from boltbo.proposers.base import Progress, for_each
from boltbo.proposers.retrieval import words_of


class Random:
    """Uniform points of a box; of strings, mutants of the default with any number of edits."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        return for_each(tasks, progress, lambda task: self._one(task, n, seed_of(seed, "random", task.id)))

    def _one(self, task: Task, n: int, seed: int) -> list[Proposal]:
        space, rng = self.domain.space(task), np.random.default_rng(seed)
        texts: dict[str, None] = {}
        for _ in range(8):  # repeats are rare but in small spaces
            if isinstance(space, SearchSpace):
                drawn = space.decode(rng.random((n, space.dim)))
            else:
                [[(default, _)]] = InitialDesign(self.domain).propose([task], 1, seed)
                drawn = space.mutants(default, len(space.symbols(default)), n, rng)
            texts |= dict.fromkeys(drawn)
            if len(texts) >= n:
                break
        return [(text, "random") for text in list(texts)[:n]]


class Perturbed:
    """Asks another proposer about tasks some words of whose contexts are replaced by words of other contexts.

    Args:
        proposer: The other.
        contexts: Where the words come from, often ones more often.
        share: Of the words, how many are replaced.
    """

    def __init__(self, proposer: Proposer, contexts: Sequence[str], share: float) -> None:
        self.proposer = proposer
        self.words = [w for text in contexts for w in words_of(text)]
        self.share = share

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        spoilt = [replace(task, context=self.spoilt(task.context, seed_of(seed, "words", task.id))) for task in tasks]
        return self.proposer.propose(spoilt, n, seed, progress)

    def spoilt(self, context: str, seed: int) -> str:
        """The context with `share` of its words replaced, the blanks between them as they were."""
        rng = np.random.default_rng(seed)
        pieces = re.split(r"(\s+)", context) if len(context.split()) > 1 else list(context)
        places = [i for i, piece in enumerate(pieces) if piece.strip()]
        count = min(len(places), max(1, round(self.share * len(places))))
        for i in rng.choice(places, size=count, replace=False).tolist():
            pieces[i] = self.words[int(rng.integers(len(self.words)))]
        return "".join(pieces)
