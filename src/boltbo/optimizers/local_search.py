"""Evolutionary local search: a few coordinates of a good point, moved a little or a lot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from boltbo.optimizers.base import BoxOptimizer
from boltbo.problem import FloatArray, SearchSpace

POINTS = 48
STEPS = (0.03, 0.1, 0.3)
FEWEST, SUCCESS, FAILURE = 1.0, 1.5, 1.5**-0.25  # one success in five keeps the number of changes


class LocalSearch(BoxOptimizer):
    """Candidates near the best few found so far.

    A parent is drawn from the best `parents`, the best twice as often as the second, and so on. A child keeps the
    parent's coordinates but for a few, whose number adapts by the one-fifth rule (Rechenberg, 1973): it grows with
    success and shrinks with failure. What is changed takes a Gaussian step of mixed size or, half of the time, a
    uniform value: on spaces where coordinates are cut into discrete choices small steps often change nothing. One
    child in five takes a share of another parent's coordinates first.

    Args:
        space: Candidates as points of the box.
        seed: Of every random choice.
        parents: How many of the best are parents.

    Raises:
        ValueError: `parents` is below 1.
    """

    attempts = 4

    def __init__(self, space: SearchSpace, *, seed: int, parents: int = 5) -> None:
        super().__init__(space, seed=seed)
        if parents < 1:
            raise ValueError(f"parents must be at least 1, got {parents}")
        self.parents = parents
        self._changes = max(FEWEST, min(4.0, space.dim / 4.0))  # expected number of changed coordinates

    def _learn(self, start: int, asked: int) -> None:
        before, best = self.history.best(0, start), self.history.best()
        if asked == 0 or before is None:
            return
        improved = best is not None and self.history.values[best] < self.history.values[before]
        change = SUCCESS if improved else FAILURE**asked
        self._changes = float(np.clip(self._changes * change, FEWEST, max(FEWEST, self.space.dim / 3.0)))

    def _rankings(self, n: int, attempt: int) -> Iterable[FloatArray]:
        top = self.history.top(self.parents)
        if not top:
            return
        elite = self.history.X[top]
        for _ in range(n):
            with self._timed("acquire"):
                children = self._children(elite, self._changes * 2.0**attempt)
            yield children

    def _children(self, elite: FloatArray, changes: float) -> FloatArray:
        """Children of the elite, shape (POINTS, d), in no particular order."""
        rng, (k, d) = self._rng, elite.shape
        odds = 0.5 ** np.arange(k)
        parent, other = rng.choice(k, size=(2, POINTS), p=odds / odds.sum())
        children = elite[parent]
        crossed = (rng.random((POINTS, 1)) < 0.2) & (rng.random((POINTS, d)) < 0.3)
        children = np.where(crossed, elite[other], children)

        mask = rng.random((POINTS, d)) < min(1.0, changes / d)
        mask[np.arange(POINTS), rng.integers(d, size=POINTS)] = True
        steps = rng.choice(STEPS, size=(POINTS, 1)) * rng.standard_normal((POINTS, d))
        moved = 1.0 - np.abs(1.0 - np.abs(children + steps) % 2.0)  # reflected at the walls: no pile-up there
        moved = np.where(rng.random((POINTS, d)) < 0.5, moved, rng.random((POINTS, d)))
        return np.where(mask, moved, children)

    def _own_state(self) -> dict[str, Any]:
        return {"changes": self._changes}

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._changes = float(state["changes"])
