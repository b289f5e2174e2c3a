"""Random search over strings: edits of whatever was told, blind to values."""

from __future__ import annotations

from collections.abc import Iterable

from boltbo.domain import StringSpace
from boltbo.optimizers.strings.base import StringOptimizer

MUTANTS = 8


class RandomStrings(StringOptimizer):
    """Mutants of candidates drawn at random from all that were told, of up to `edits` edits: what others must beat on strings.

    A `StringSpace` knows neighbours alone, so this is a random walk that starts from the initial data and forgets nothing.

    Args:
        space: Candidates as strings of symbols.
        seed: Of every random choice.
        edits: Of a mutant, at most.

    Raises:
        ValueError: `edits` is below 1.
    """

    attempts = 3

    def __init__(self, space: StringSpace, *, seed: int, edits: int = 8) -> None:
        super().__init__(space, seed=seed)
        if edits < 1:
            raise ValueError(f"edits must be at least 1, got {edits}")
        self.edits = edits

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        for _ in range(n):
            told = self.history.candidates
            if not told:
                return
            origin = told[int(self._rng.integers(len(told)))]
            yield self._mutants(origin, self.edits * 2**attempt, MUTANTS)
