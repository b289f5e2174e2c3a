"""Every observation that an optimizer was told, as arrays."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from boltbo.domain import SearchSpace, StringSpace
from boltbo.errors import InvalidCandidate
from boltbo.problem import FloatArray, Observation, Status


class History(ABC):
    """The observations that say something about a place in the space, in the order of telling.

    Attributes:
        seen: Every candidate told, those without a place included, in the order of telling.
        constraints: The constraints' values that the oracle told of each place; an empty tuple where it told none.

    The arrays leave out `failed` observations, whose value is unknown for reasons that may not be the candidate's, and
    texts that are no candidates of the space. `len` counts the places.
    """

    def __init__(self) -> None:
        self.seen: dict[str, None] = {}
        self._values: list[float] = []
        self._statuses: list[Status] = []
        self.constraints: list[tuple[float, ...]] = []

    @abstractmethod
    def _place(self, candidate: str) -> None:
        """Keep where the candidate is.

        Raises:
            InvalidCandidate: The candidate has no place in the space.
        """

    def __len__(self) -> int:
        return len(self._values)

    def extend(self, observations: Sequence[Observation]) -> None:
        for o in observations:
            self.seen.update({o.candidate: None, o.asked or o.candidate: None})
            has_value = o.status in (Status.COMPLETE, Status.CENSORED) and math.isfinite(o.value)
            if not has_value and o.status is not Status.INFEASIBLE:
                continue
            try:
                self._place(o.candidate)
            except InvalidCandidate:
                continue
            self._values.append(o.value if has_value else math.nan)
            self._statuses.append(o.status)
            self.constraints.append(o.constraints)

    @property
    def values(self) -> FloatArray:
        """Objectives, lower bounds where censored, NaN where infeasible; shape (n,)."""
        return np.array(self._values)

    def having(self, status: Status) -> NDArray[np.bool_]:
        """Whether each place has this status, shape (n,)."""
        return np.array([s is status for s in self._statuses], dtype=bool)

    def best(self, start: int = 0, stop: int | None = None) -> int | None:
        """The index of the lowest complete value among the places `start:stop`, the earliest of equals."""
        rows = [i for i in range(len(self))[start:stop] if self._statuses[i] is Status.COMPLETE]
        return min(rows, key=self._values.__getitem__, default=None)

    def top(self, k: int, start: int = 0) -> list[int]:
        """The indices of the `k` lowest complete values among the places from `start` on, best first."""
        rows = [i for i in range(start, len(self)) if self._statuses[i] is Status.COMPLETE]
        return sorted(rows, key=self._values.__getitem__)[:k]


class BoxHistory(History):
    """A history of points of a box: `space.encode` says where a candidate is."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self._space = space
        self._points: list[FloatArray] = []

    def _place(self, candidate: str) -> None:
        self._points.append(np.clip(np.asarray(self._space.encode(candidate), dtype=float), 0.0, 1.0))

    @property
    def X(self) -> FloatArray:  # noqa: N802
        """Points, shape (n, d)."""
        return np.array(self._points).reshape(len(self._points), self._space.dim)


class RememberedHistory(BoxHistory):
    """A history of points of a box that keeps their texts as well, so that they can be encoded anew.

    Attributes:
        candidates: The text of each point.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__(space)
        self.candidates: list[str] = []

    def _place(self, candidate: str) -> None:
        super()._place(candidate)
        self.candidates.append(candidate)


class StringHistory(History):
    """A history of strings of symbols.

    Attributes:
        candidates: The text of each string.
        strings: The symbols of each string.
    """

    def __init__(self, space: StringSpace) -> None:
        super().__init__()
        self._space = space
        self.candidates: list[str] = []
        self.strings: list[tuple[str, ...]] = []

    def _place(self, candidate: str) -> None:
        self.strings.append(tuple(self._space.symbols(candidate)))
        self.candidates.append(candidate)
