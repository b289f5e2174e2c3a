"""Finished tasks as data for a shared surrogate: points, and values made comparable.

Values of different tasks have different scales, so each task's are standardised by themselves, sources and target alike:

    anchored    asinh((v - median) / (IQR / 1.349)) with median and quartiles of the task's first `ANCHORS` observations, which
                come from the domain's initial design. A finished search has many good values and a new one has none: by the
                scale of all its values, a new task's best poor point would look as good as the sources' optima
    warp        a power transform towards normality, then z-scores, over all values (`optimizers.warp`)
    rank        normal scores of the ranks of all values (after Salinas et al., "A quantile-based approach for hyperparameter
                transfer learning", ICML 2020)

A censored observation counts at its bound, but not as more than twice the range of the complete ones above the best.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from boltbo.optimizers.surrogates.warp import Warp
from boltbo.problem import FloatArray, Observation, Status, Task, Trajectory

if TYPE_CHECKING:
    from boltbo_bench.transfer.features import Features

STANDARDISATIONS = ("anchored", "warp", "rank")
ANCHORS = 10
LEAST_SCALE = 1e-12
"""Of the range of all values: quartiles that all but coincide are no scale"""
VALUED = (Status.COMPLETE, Status.CENSORED)


@dataclass(frozen=True, slots=True)
class Source:
    """One finished task: points X (n, F) and standardised values y (n,), low is good."""

    task: Task
    X: FloatArray
    y: FloatArray


def standardised(values: FloatArray, censored: NDArray[np.bool_], how: str) -> FloatArray:
    """Standardised values of one task, shape (n,); zeros where all are equal.

    Args:
        values: Objectives, or bounds, in the order of the calls; shape (n,), n >= 1.
        censored: Where they are bounds, shape (n,).
        how: One of `STANDARDISATIONS`.
    """
    complete = values[~censored]
    if len(complete) and censored.any():
        best, worst = float(complete.min()), float(complete.max())
        spread = worst - best or math.inf
        values = np.where(censored, np.minimum(values, worst + spread), values)
    span = float(np.ptp(values))
    if span <= 0.0:
        return np.zeros(len(values))
    if how == "rank":
        return np.asarray(norm.ppf((rankdata(values) - 0.5) / len(values)))
    if how == "warp":
        return np.asarray(Warp.fit(values)(values))
    first = values[:ANCHORS]
    low, centre, high = np.quantile(first, [0.25, 0.5, 0.75])
    scale = (high - low) / 1.349 or first.std() or values.std()
    scale = max(scale, LEAST_SCALE * span) or span  # of values hardly above nothing all of these are zero
    return np.asarray(np.arcsinh((values - centre) / scale))


def chosen(y: FloatArray, points: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Up to `points` rows of y (n,): the lowest half, the others at random; in their order."""
    if len(y) <= points:
        return np.arange(len(y))
    order = np.argsort(y, kind="stable")
    best, rest = order[: (points + 1) // 2], order[(points + 1) // 2 :]
    return np.sort(np.concatenate([best, rng.choice(rest, points - len(best), replace=False)]))


def read(
    trajectories: Sequence[Trajectory], features: Features, points: int, how: str, rng: np.random.Generator
) -> list[Source]:
    """Each trajectory that has two candidates with values or more as a `Source`, features as they come."""
    sources = []
    for trajectory in trajectories:
        distinct: dict[str, Observation] = {}
        for o in trajectory.observations:
            if o.status in VALUED and np.isfinite(o.value):
                distinct.setdefault(o.candidate, o)
        known = list(distinct.values())
        if len(known) < 2:
            continue  # one value, standardised by itself, says nothing
        y = standardised(np.array([o.value for o in known]), np.array([not o.complete for o in known]), how)
        rows = chosen(y, points, rng)
        X = np.asarray(features(trajectory.task, [known[i].candidate for i in rows]), dtype=float)
        sources.append(Source(trajectory.task, X, y[rows]))
    return sources


@dataclass(frozen=True, slots=True)
class Scaler:
    """Moves each column into [0, 1] over given points: the kernels' priors are made for boxes."""

    low: FloatArray
    span: FloatArray

    @classmethod
    def over(cls, X: FloatArray) -> Scaler:
        """For points (n, F), n >= 1."""
        low, high = X.min(axis=0), X.max(axis=0)
        return cls(low, np.where(high - low > 1e-9, high - low, 1.0))

    def __call__(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self.low) / self.span)


def padded(sources: Sequence[Source]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """X (T, n, F), y (T, n) and a mask (T, n) of 1 and 0, with zeros where a task has fewer than n points."""
    n = max(len(s.y) for s in sources)
    X = np.zeros((len(sources), n, sources[0].X.shape[1]))
    y, mask = np.zeros((len(sources), n)), np.zeros((len(sources), n))
    for t, s in enumerate(sources):
        X[t, : len(s.y)], y[t, : len(s.y)], mask[t, : len(s.y)] = s.X, s.y, 1.0
    return X, y, mask
