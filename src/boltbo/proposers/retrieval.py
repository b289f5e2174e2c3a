"""Solutions of tasks solved before: those of the tasks whose contexts are most like a new one's, or the commonest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
from scipy.sparse import csr_array

from boltbo.domain import Domain
from boltbo.errors import InvalidCandidate
from boltbo.llm.backend import Example
from boltbo.problem import Task, Trajectory
from boltbo.proposers.base import Progress, Proposal, for_each
from boltbo.proposers.initial_design import InitialDesign
from boltbo.proposers.order import symbols
from boltbo.proposers.transplant import edits, transplanted

T = TypeVar("T")

Order = Literal["similarity", "support"]
"""What the solutions of other tasks are ordered by."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A training task with its solutions, best first, and the default that its run began from ('' if there was none)."""

    task: Task
    default: str
    solutions: tuple[str, ...]

    @classmethod
    def of(cls, trajectory: Trajectory, solutions: Sequence[str]) -> Solved:
        default = next((o.candidate for o in trajectory.observations if o.source == "default"), "")
        return cls(trajectory.task, default, tuple(solutions))


class Retrieval:
    """Solutions of other tasks that are candidates of this one; then those that become one when only their edits are kept.

    Args:
        domain: Domain whose grammar says what a candidate is.
        solved: The training tasks.
        by: `similarity` takes the solutions of the tasks with the most similar contexts first, `support` those that the most
            tasks have.
    """

    @classmethod
    def of(
        cls,
        domain: Domain,
        trajectories: Sequence[Trajectory],
        pairs: Mapping[str, Sequence[Example]],
        *,
        by: Order,
    ) -> Retrieval:
        """The solutions that were distilled of these tasks (`distil.training_pairs`)."""
        solved = [Solved.of(x, [e.solution for e in pairs[x.task.id]]) for x in trajectories]
        return cls(domain, solved, by=by)

    def __init__(self, domain: Domain, solved: Sequence[Solved], *, by: Order) -> None:
        self.domain = domain
        self.solved = solved
        self.by = by
        self._contexts = Contexts([s.task.context for s in solved])
        support = Counter(text for s in solved for text in s.solutions)
        place = {text: i for s in reversed(solved) for i, text in enumerate(s.solutions)}
        self._supported = sorted(support, key=lambda text: (-support[text], place[text], text))

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        return for_each(tasks, progress, lambda task: self._one(task, n, seed))

    def _one(self, task: Task, n: int, seed: int) -> list[Proposal]:
        ranked = [self.solved[i] for i in self._contexts.nearest(task.context)]
        as_they_are = _in_turn([s.solutions for s in ranked]) if self.by == "similarity" else iter(self._supported)
        valid = self._valid(task)
        candidates = _first(n, (text for text in map(valid, as_they_are) if text))
        if len(candidates) < n:
            edited = (text for text in self._edited(task, ranked, seed, valid) if text not in candidates)
            candidates = _first(n, [*candidates, *edited])
        return [(text, "retrieval") for text in candidates]

    def _edited(
        self, task: Task, ranked: Sequence[Solved], seed: int, valid: Callable[[str], str | None]
    ) -> Iterator[str]:
        """The default of this task after the edits of others' solutions, as many of each as leave a candidate."""
        separator = self.domain.grammar(task).separator
        [proposals] = InitialDesign(self.domain).propose([task], 1, seed)
        default = symbols(proposals[0][0], separator) if proposals else []
        if len(default) < 2:  # a default that is one word says nothing of places
            return
        for solved, text in _in_turn([tuple((s, text) for text in s.solutions) for s in ranked if s.default]):
            start, solution = symbols(solved.default, separator), symbols(text, separator)
            for budget in range(edits(start, solution), 0, -1):
                candidate = valid(separator.join(transplanted(default, start, solution, budget)))
                if candidate is not None:
                    if candidate != proposals[0][0]:
                        yield candidate
                    break

    def _valid(self, task: Task) -> Callable[[str], str | None]:
        grammar = self.domain.grammar(task)

        def canonical(text: str) -> str | None:
            try:
                return grammar.canonical(text)
            except InvalidCandidate:
                return None

        return canonical


class Contexts:
    """Texts compared by their words and pairs of neighbouring words (letters, where a text is one word): cosine of counts."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [_grams(text) for text in texts]
        self._place = {gram: i for i, gram in enumerate(dict.fromkeys(gram for c in counts for gram in c))}
        self._counts = csr_array(
            (
                np.fromiter((count for c in counts for count in c.values()), np.float64),
                np.fromiter((self._place[gram] for c in counts for gram in c), np.int64),
                np.cumsum([0, *map(len, counts)]),
            ),
            shape=(len(counts), len(self._place)),
        )
        self._norms = np.array([_norm(c) for c in counts])

    def nearest(self, text: str) -> list[int]:
        """All places, the most similar text's first; of those that are as similar, the first ones first."""
        counts, grams = np.zeros(len(self._place)), _grams(text)
        for gram in grams.keys() & self._place.keys():
            counts[self._place[gram]] = grams[gram]
        alike = self._counts @ counts / (self._norms * _norm(grams))
        # rounded, so that two that are as similar are so whatever their square roots round to
        order: list[int] = np.argsort(-alike.round(12), kind="stable").tolist()
        return order


def _first(n: int, texts: Iterable[str]) -> list[str]:
    """The first `n` distinct texts; the iterator is read no further."""
    distinct: dict[str, None] = {}
    for text in texts:
        if len(distinct) >= n:
            break
        distinct[text] = None
    return list(distinct)


def _in_turn(lists: Sequence[tuple[T, ...]]) -> Iterator[T]:
    """The first of each list, then the second of each, …"""
    for place in range(max(map(len, lists), default=0)):
        yield from (items[place] for items in lists if place < len(items))


def words_of(text: str) -> list[str]:
    """The words of a text; its letters, where it is one word."""
    words = text.split()
    return words if len(words) > 1 else list(text)


def _grams(text: str) -> Counter[str]:
    words = words_of(text)
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _norm(counts: Counter[str]) -> float:
    return float(np.sqrt(sum(c * c for c in counts.values()))) or 1.0
