"""Ask and tell with a shared surrogate: expected improvement over a pool of the target task's own candidates.

At each `ask` the model of the target is made anew from what was told, which is all that it depends on; so nothing of it has to
survive a restart. The pool: half of it by `pools` and the transferred candidates, half around those of the first half with
the greatest expected improvement (Jones, Schonlau & Welch, 1998). Of several candidates asked at once, each is chosen as if
those before it had been told with the mean that was predicted for them (the kriging believer of Ginsbourger et al., 2010).

An infeasible observation counts as the median of the complete ones, as in `edits`: without a word about it the same
neighbourhood would come again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr

from boltbo.domain import SearchSpace, StringSpace
from boltbo.errors import InvalidCandidate
from boltbo.optimizers.base import AskTell
from boltbo.problem import FloatArray, Status, Task
from boltbo_bench.transfer.pools import draws_of
from boltbo_bench.transfer.shared import SharedSurrogate
from boltbo_bench.transfer.sources import standardised

PROMISING = 16


class DrawingOptimizer(AskTell[list[str]]):
    """The common part of optimizers that rank candidates of any space: the space's own draws, and the history.

    Args:
        space: Its candidates.
        seed: Of every random choice.
        least: Observations with a value from which on a model is asked; below, candidates are random.

    Raises:
        ValueError: `least` is below 1, or the space is of no kind that can be drawn from.
    """

    attempts = 3

    def __init__(self, space: SearchSpace | StringSpace, *, seed: int, least: int = 3) -> None:
        super().__init__(seed=seed)
        if least < 1:
            raise ValueError(f"least must be at least 1, got {least}")
        self.space, self.least = space, least
        self._draws = draws_of(space)
        self.history: Any = self._draws.history()

    def _empty(self) -> None:
        self.history = self._draws.history()

    def _texts(self, ranking: list[str]) -> list[str]:
        return ranking

    def _anything(self, n: int, attempt: int) -> Iterable[list[str]]:
        for _ in range(n):
            with self._timed("decode"):
                yield list(self._draws.anywhere(self.history, 64, attempt, self._is_new, self._rng))


class PoolOptimizer(DrawingOptimizer):
    """A single-task optimizer whose model is a `SharedSurrogate`.

    Args:
        surrogate: Fitted on the source tasks.
        task: The target task: its features are read with it.
        space: Its candidates.
        seed: Of every random choice.
        pool: Candidates at which the model is evaluated.
        transferred: Candidates from elsewhere (best ones of other tasks, say) that join every pool; those that are none of
            this task are left out.
        least: Observations with a value from which on the model is asked; below, candidates are random.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        surrogate: SharedSurrogate,
        task: Task,
        space: SearchSpace | StringSpace,
        *,
        seed: int,
        pool: int = 400,
        transferred: Sequence[str] = (),
        least: int = 3,
    ) -> None:
        super().__init__(space, seed=seed, least=least)
        if pool < 2:
            raise ValueError(f"pool must be at least 2, got {pool}")
        self.surrogate, self.task, self.pool = surrogate, task, pool
        self._transferred = self._valid(transferred)

    def _valid(self, candidates: Sequence[str]) -> dict[str, Any]:
        places = {}
        for candidate in dict.fromkeys(candidates):
            try:
                places[candidate] = self._draws.place(candidate)
            except InvalidCandidate:
                continue
        return places

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        places, values, censored = self._data()
        if len(places) < self.least or censored.all():
            yield from self._anything(n, attempt)
            return
        X = self._features([self.history.candidates[i] for i in places])
        y = standardised(values, censored, self.surrogate.standardise)
        best = float(y[~censored].min())
        for _ in range(n):
            with self._timed("fit"):
                model = self.surrogate.target(X, y)
            with self._timed("acquire"):
                texts, points, means, scores = self._scored(model, best, attempt)
            if not texts:
                return
            order = np.lexsort((means, -scores))
            yield [texts[i] for i in order]
            taken = next((i for i in order if texts[i] in self._pending), None)  # by now the consumer has chosen
            if taken is not None:
                X, y = np.vstack([X, points[taken]]), np.append(y, means[taken])
                best = min(best, float(means[taken]))

    def _data(self) -> tuple[Any, FloatArray, Any]:
        """Places of the history that have something to say, their values, and where these are bounds."""
        values, complete = self.history.values, self.history.having(Status.COMPLETE)
        infeasible = self.history.having(Status.INFEASIBLE)
        if complete.any():
            values = np.where(infeasible, np.median(values[complete]), values)
        places = np.flatnonzero(np.isfinite(values))
        return places, values[places], self.history.having(Status.CENSORED)[places]

    def _features(self, candidates: Sequence[str]) -> FloatArray:
        return np.asarray(self.surrogate.features(self.task, candidates), dtype=float)

    def _scored(self, model: Any, best: float, attempt: int) -> tuple[list[str], FloatArray, FloatArray, FloatArray]:
        """The pool: texts, features, predicted means and logarithms of expected improvement."""
        half = self.pool // 2
        pool = self._draws.first(self.history, half, attempt, self._is_new, self._rng)
        pool |= {c: place for c, place in self._transferred.items() if self._is_new(c)}
        if not pool:
            return [], np.zeros((0, 0)), np.zeros(0), np.zeros(0)
        texts, places = list(pool), list(pool.values())
        X = self._features(texts)
        mean, variance = model.predict(X)
        scores = log_improvement(mean, variance, best)
        promising = [places[i] for i in np.lexsort((mean, -scores))[:PROMISING]]
        more = self._draws.around(promising, self.pool - half, attempt, self._is_new, self._rng)
        new = [c for c in more if c not in pool]
        if new:
            X_new = self._features(new)
            mean_new, variance_new = model.predict(X_new)
            texts, X, mean = texts + new, np.vstack([X, X_new]), np.append(mean, mean_new)
            scores = np.append(scores, log_improvement(mean_new, variance_new, best))
        return texts, X, mean, scores


def optimizer_for(
    surrogate: SharedSurrogate,
    task: Task,
    space: SearchSpace | StringSpace,
    *,
    seed: int,
    pool: int = 400,
    transferred: Sequence[str] = (),
    feasible: Callable[[str], bool] | None = None,
) -> PoolOptimizer:
    """A single-task optimizer of a new task whose model is the fitted surrogate.

    Args:
        surrogate, task, space, seed, pool, transferred: As `PoolOptimizer` takes them.
        feasible: Which candidates may be asked, where that is known beforehand; None: all that the space says.
    """
    optimizer = PoolOptimizer(surrogate, task, space, seed=seed, pool=pool, transferred=transferred)
    if feasible is not None:
        setattr(optimizer, "feasible", feasible)  # noqa: B010 - mypy lets no method be assigned to
    return optimizer


def log_improvement(mean: FloatArray, variance: FloatArray, best: float) -> FloatArray:
    """log E[max(best - f, 0)] of normal f, finite everywhere; shape (m,).

    log(phi(z) + z Phi(z)) for z = (best - mean) / sd is computed as it stands where that is accurate, and by its asymptote
    log phi(z) - 2 log|z| far in the tail (after Ament et al., "Unexpected improvements to expected improvement", 2023).
    """
    sd = np.sqrt(np.maximum(variance, 1e-12))
    z = (best - mean) / sd
    near = np.maximum(z, -25.0)
    log_phi = -0.5 * z * z - 0.5 * np.log(2.0 * np.pi)
    direct = np.log(np.exp(-0.5 * near * near) / np.sqrt(2.0 * np.pi) + near * ndtr(near))
    far = np.minimum(z, -1.0)
    return np.asarray(np.where(z > -25.0, direct, log_phi - 2.0 * np.log(-far)) + np.log(sd))
