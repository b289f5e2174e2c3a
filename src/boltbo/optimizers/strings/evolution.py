"""Evolutionary local search on strings: a few edits of a good candidate, or parts of two."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from boltbo.domain import StringSpace
from boltbo.optimizers.strings.base import StringOptimizer

CHILDREN = 8
CROSSED = 0.2
FIRST, FEWEST, SUCCESS, FAILURE = 3.0, 1.0, 1.5, 1.5**-0.25  # one success in five keeps the number of edits


class Evolution(StringOptimizer):
    """Candidates near the best few found so far.

    A parent is drawn from the best `parents`, the best twice as often as the second, and so on. A child is the parent
    after some edits; the largest number of these adapts by the one-fifth rule (Rechenberg, 1973): it grows with success and
    shrinks with failure. One child in five takes a part of another parent instead.

    Args:
        space: Candidates as strings of symbols.
        seed: Seed of every random choice.
        parents: Number of the best candidates that are parents.

    Raises:
        ValueError: `parents` is below 1.
    """

    attempts = 4

    def __init__(self, space: StringSpace, *, seed: int, parents: int = 5) -> None:
        super().__init__(space, seed=seed)
        if parents < 1:
            raise ValueError(f"parents must be at least 1, got {parents}")
        self.parents = parents
        self._edits = FIRST

    def _learn(self, start: int, asked: int) -> None:
        before, best = self.history.best(0, start), self.history.best()
        if asked == 0 or before is None or best is None:
            return
        change = SUCCESS if self.history.values[best] < self.history.values[before] else FAILURE**asked
        most = max(FEWEST, len(self.history.strings[best]) / 3.0)
        self._edits = float(np.clip(self._edits * change, FEWEST, most))

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        top = [self.history.candidates[i] for i in self.history.top(self.parents)]
        if not top:
            return
        odds = 0.5 ** np.arange(len(top))
        for _ in range(n):
            with self._timed("acquire"):
                parent, second = (top[i] for i in self._rng.choice(len(top), size=2, p=odds / odds.sum()))
                children: list[str] = []
                if self._rng.random() < CROSSED:
                    children = self.space.crossed(parent, second, CHILDREN, self._rng)
                # The fraction is left to chance, so that the rule acts on small numbers too.
                edits = int(self._edits * 2.0**attempt + self._rng.random())
                children += self._mutants(parent, edits, CHILDREN)
            yield children

    def _own_state(self) -> dict[str, Any]:
        return {"edits": self._edits}

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._edits = float(state["edits"])
