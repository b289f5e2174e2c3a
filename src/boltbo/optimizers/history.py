"""Everything an optimizer was told, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.problem import FloatArray, InvalidCandidate, Observation, SearchSpace, Status


class History:
    """The observations that say something about a point of the box, in the order of telling.

    Attributes:
        seen: Every candidate told, those without a point included.

    Left out of the arrays: `failed` observations, whose value is unknown for reasons that may not be the candidate's,
    and texts that `space.encode` rejects. `len` counts the points.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.seen: set[str] = set()
        self._space = space
        self._points: list[FloatArray] = []
        self._values: list[float] = []
        self._statuses: list[Status] = []

    def __len__(self) -> int:
        return len(self._points)

    def extend(self, observations: Sequence[Observation]) -> None:
        for o in observations:
            self.seen.update({o.candidate, o.asked or o.candidate})
            has_value = o.status in (Status.COMPLETE, Status.CENSORED) and math.isfinite(o.value)
            if not has_value and o.status is not Status.INFEASIBLE:
                continue
            try:
                point = self._space.encode(o.candidate)
            except InvalidCandidate:
                continue
            self._points.append(np.clip(np.asarray(point, dtype=float), 0.0, 1.0))
            self._values.append(o.value if has_value else math.nan)
            self._statuses.append(o.status)

    @property
    def X(self) -> FloatArray:  # noqa: N802
        """Points, shape (n, d)."""
        return np.array(self._points).reshape(len(self._points), self._space.dim)

    @property
    def values(self) -> FloatArray:
        """Objectives, lower bounds where censored, NaN where infeasible; shape (n,)."""
        return np.array(self._values)

    def having(self, status: Status) -> NDArray[np.bool_]:
        """Which points have this status, shape (n,)."""
        return np.array([s is status for s in self._statuses], dtype=bool)

    def best(self, start: int = 0, stop: int | None = None) -> int | None:
        """The index of the lowest complete value among the points `start:stop`, the earliest of equals."""
        rows = [i for i in range(len(self))[start:stop] if self._statuses[i] is Status.COMPLETE]
        return min(rows, key=self._values.__getitem__, default=None)

    def top(self, k: int) -> list[int]:
        """The indices of the `k` lowest complete values, best first."""
        rows = [i for i in range(len(self)) if self._statuses[i] is Status.COMPLETE]
        return sorted(rows, key=self._values.__getitem__)[:k]
