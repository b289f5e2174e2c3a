"""Where candidates of the target task come from: points of its box, or edits of its strings, as our optimizers draw them.

A pool is a dict from candidate to its *place*: a point of the box, or the candidate itself. Half is drawn here and there,
half around the best; `around` then draws near candidates that a model finds promising.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from boltbo.domain import SearchSpace, StringSpace
from boltbo.errors import InvalidCandidate
from boltbo.optimizers.box.local_search import CROSSED, crossed, moved
from boltbo.optimizers.history import History, RememberedHistory, StringHistory
from boltbo.problem import FloatArray

PARENTS, CHANGED, DECAY, FRESH = 8, 20, 0.8, 0.3
EDITS, MOST_EDITS = 8, 32

IsNew = Callable[[str], bool]
Pool = dict[str, Any]


class Draws(Protocol):
    """How candidates of one kind of space are drawn."""

    def history(self) -> History: ...
    def place(self, candidate: str) -> Any:
        """Its place.

        Raises:
            InvalidCandidate: It is none of this task.
        """
        ...

    def anywhere(self, told: Any, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool: ...
    def first(self, told: Any, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool: ...
    def around(self, places: Sequence[Any], n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool: ...


def draws_of(space: SearchSpace | StringSpace) -> Draws:
    """How candidates of this space are drawn.

    Raises:
        ValueError: It is of neither kind.
    """
    if isinstance(space, SearchSpace):
        return BoxDraws(space)
    if isinstance(space, StringSpace):
        return StringDraws(space)
    raise ValueError(f"a SearchSpace or a StringSpace is needed, {type(space).__name__} is neither")


class BoxDraws:
    """Points of a box: uniform ones, and good ones of which a few coordinates are moved a little or drawn anew."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space

    def history(self) -> RememberedHistory:
        return RememberedHistory(self.space)

    def place(self, candidate: str) -> FloatArray:
        return np.asarray(np.clip(self.space.encode(candidate), 0.0, 1.0), dtype=float)

    def anywhere(self, told: RememberedHistory, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool:
        return self._pool(rng.random((n, self.space.dim)), is_new)

    def first(self, told: RememberedHistory, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool:
        top = told.top(PARENTS)
        if not top:
            return self.anywhere(told, n, attempt, is_new, rng)
        near = self._moved(told.X[top], n - n // 2, attempt, rng)
        return self._pool(np.vstack([rng.random((n // 2, self.space.dim)), near]), is_new)

    def around(
        self, places: Sequence[FloatArray], n: int, attempt: int, is_new: IsNew, rng: np.random.Generator
    ) -> Pool:
        return self._pool(self._moved(np.array(places), n, attempt, rng), is_new)

    def _moved(self, parents: FloatArray, n: int, attempt: int, rng: np.random.Generator) -> FloatArray:
        """Children of points (k, d), best first; shape (n, d)."""
        children = crossed(parents, n, rng, decay=DECAY)
        return moved(children, min(self.space.dim, CHANGED) ** rng.random((n, 1)) * 2.0**attempt, rng, fresh=FRESH)

    def _pool(self, points: FloatArray, is_new: IsNew) -> Pool:
        pool: Pool = {}
        for text, point in zip(self.space.decode(points), points, strict=True):
            if text not in pool and is_new(text):
                pool[text] = point
        return pool


class StringDraws:
    """Strings by edits: mutants of whatever was told, and mutants and crossings of the best."""

    def __init__(self, space: StringSpace) -> None:
        self.space = space

    def history(self) -> StringHistory:
        return StringHistory(self.space)

    def place(self, candidate: str) -> str:
        self.space.symbols(candidate)
        return candidate

    def anywhere(self, told: StringHistory, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool:
        known = told.candidates or list(told.seen)  # failed candidates have neighbours too
        return _new(self._mutants(known, n, EDITS * 2**attempt, rng), is_new)

    def first(self, told: StringHistory, n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool:
        top = [told.candidates[i] for i in told.top(PARENTS)]
        if not top:
            return self.anywhere(told, n, attempt, is_new, rng)
        drawn = self._mutants(told.candidates, n // 2, EDITS * 2**attempt, rng)
        for _ in range(8):
            one, other = (top[i] for i in rng.integers(len(top), size=2))
            drawn += self.space.crossed(one, other, max(1, int(CROSSED * n / 16)), rng)
        return _new(drawn + self._mutants(top, n - n // 2, EDITS // 2 * 2**attempt, rng), is_new)

    def around(self, places: Sequence[str], n: int, attempt: int, is_new: IsNew, rng: np.random.Generator) -> Pool:
        return _new(self._mutants(places, n, 2 * 2**attempt, rng), is_new)

    def _mutants(self, origins: Sequence[str], n: int, edits: int, rng: np.random.Generator) -> list[str]:
        """About `n` mutants, as many of each of up to 32 origins drawn at random."""
        origins = [origins[i] for i in rng.permutation(len(origins))[:32]]
        found: list[str] = []
        for origin in origins:
            try:
                found += self.space.mutants(origin, min(edits, MOST_EDITS), -(-n // len(origins)), rng)
            except InvalidCandidate:
                continue
        return found


def _new(texts: Iterable[str], is_new: IsNew) -> Pool:
    return {text: text for text in dict.fromkeys(texts) if is_new(text)}
