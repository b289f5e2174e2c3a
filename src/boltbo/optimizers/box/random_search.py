"""Uniform points of the box: what every other optimizer must beat."""

from __future__ import annotations

from collections.abc import Iterable

from boltbo.optimizers.base import BoxOptimizer
from boltbo.problem import FloatArray

POINTS = 64


class RandomSearch(BoxOptimizer):
    """Candidates of uniform points, no two alike."""

    def _rankings(self, n: int, attempt: int) -> Iterable[FloatArray]:
        return (self._rng.random((POINTS, self.space.dim)) for _ in range(n))
