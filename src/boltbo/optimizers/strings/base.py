"""The common part of optimizers over strings: where a search may look when it knows nothing better."""

from __future__ import annotations

from collections.abc import Iterable

from boltbo.domain import StringSpace
from boltbo.errors import InvalidCandidate
from boltbo.optimizers.base import AskTell
from boltbo.optimizers.history import StringHistory

FALLBACK_ORIGINS = 32
FALLBACK_MUTANTS = 32


class StringOptimizer(AskTell[list[str]]):
    """The common part of optimizers over a `StringSpace`; a ranking is a list of candidates.

    A space of strings knows the neighbours of a candidate, not candidates as such: before the first observation there is
    nothing to ask.

    Args:
        space: Candidates as strings of symbols that change by edits.
        seed: Seed of the generator that makes every random choice.
    """

    def __init__(self, space: StringSpace, *, seed: int) -> None:
        super().__init__(seed=seed)
        self.space = space
        self.history: StringHistory = StringHistory(space)

    def _empty(self) -> None:
        self.history = StringHistory(self.space)

    def _texts(self, ranking: list[str]) -> list[str]:
        return ranking

    def _anything(self, n: int, attempt: int) -> Iterable[list[str]]:
        """Mutants of the best candidates, or of any told where none has a value; each attempt doubles the number of edits."""
        best = [self.history.candidates[i] for i in self.history.top(FALLBACK_ORIGINS)]
        origins = best or list(self.history.seen)[:FALLBACK_ORIGINS]
        for _ in range(n):
            mutants: list[str] = []
            for origin in origins:
                mutants += self._mutants(origin, 2**attempt, FALLBACK_MUTANTS)
            yield mutants

    def _mutants(self, candidate: str, edits: int, n: int) -> list[str]:
        """Mutants of a text that was told; none if it is no candidate of the space."""
        try:
            return self.space.mutants(candidate, edits, n, self._rng)
        except InvalidCandidate:
            return []
