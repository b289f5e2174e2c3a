"""Evolutionary local search: a few coordinates of a good point, moved a little or a lot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from boltbo.domain import SearchSpace
from boltbo.optimizers.base import BoxOptimizer
from boltbo.problem import FloatArray

POINTS = 48
STEPS = (0.03, 0.1, 0.3)
CROSSED, TAKEN = 0.2, 0.3
"""The share of children that take from another parent, and the share of coordinates that these take."""
FEWEST, SUCCESS, FAILURE = 1.0, 1.5, 1.5**-0.25  # one success in five keeps the number of changes


class LocalSearch(BoxOptimizer):
    """Candidates near the best few found so far.

    A parent is drawn from the best `parents`, the best twice as often as the second, and so on. A child keeps the
    parent's coordinates but for a few, whose number adapts by the one-fifth rule (Rechenberg, 1973): it grows with
    success and shrinks with failure. A changed coordinate takes a Gaussian step of mixed size or, half of the time, a
    uniform value: on spaces where coordinates are cut into discrete choices small steps often change nothing. One
    child in five takes a share of another parent's coordinates first.

    Args:
        space: Candidates as points of the box.
        seed: Seed of every random choice.
        parents: Number of the best candidates that are parents.

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
                children = moved(crossed(elite, POINTS, self._rng), self._changes * 2.0**attempt, self._rng)
            yield children

    def _own_state(self) -> dict[str, Any]:
        return {"changes": self._changes}

    def _restore_own(self, state: dict[str, Any]) -> None:
        self._changes = float(state["changes"])


def crossed(elite: FloatArray, n: int, rng: np.random.Generator, *, decay: float = 0.5) -> FloatArray:
    """Copies of good points, shape (n, d), some with coordinates of another one.

    Args:
        elite: The good points, shape (k, d), best first.
        n: Number of copies.
        rng: Generator of every random choice.
        decay: The odds of a point's being drawn over those of the point before it.
    """
    k, d = elite.shape
    odds = decay ** np.arange(k)
    parent, second = rng.choice(k, size=(2, n), p=odds / odds.sum())
    taken = (rng.random((n, 1)) < CROSSED) & (rng.random((n, d)) < TAKEN)
    return np.asarray(np.where(taken, elite[second], elite[parent]))


def moved(
    points: FloatArray, changes: float | FloatArray, rng: np.random.Generator, *, fresh: float = 0.5
) -> FloatArray:
    """The points (n, d) with a few coordinates changed, at least one of each.

    Args:
        points: Points of [0, 1]^d.
        changes: Expected number of changed coordinates; one number, or shape (n, 1).
        rng: Generator of every random choice.
        fresh: Share of the changed coordinates that are drawn anew; the others take a step.
    """
    n, d = points.shape
    mask = rng.random((n, d)) < changes / d
    mask[np.arange(n), rng.integers(d, size=n)] = True
    steps = rng.choice(STEPS, size=(n, 1)) * rng.standard_normal((n, d))
    stepped = 1.0 - np.abs(1.0 - np.abs(points + steps) % 2.0)  # reflected at the walls: no pile-up there
    new = np.where(rng.random((n, d)) < 1.0 - fresh, stepped, rng.random((n, d)))
    return np.asarray(np.where(mask, new, points))
