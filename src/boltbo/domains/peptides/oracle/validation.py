"""How good a predictor is on peptides it has not seen: cross-validation, split at random and by likeness.

A random split puts near copies of a peptide on both sides and flatters; a split by clusters asks what is known of other
families. A designer stays near a template that may or may not be like the data: the truth lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from boltbo.domains.peptides.oracle.data import Measurements
from boltbo.domains.peptides.oracle.predictor import MicPredictor
from boltbo.problem import FloatArray

Split = Literal["random", "clustered"]

IDENTITY = 0.6
"""1 - Levenshtein distance / length of the longer, of a peptide and the one that its cluster began with."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Score:
    """Scores of one species over all folds. Intervals are 95%, from resampled peptides (clustered: resampled clusters).

    Attributes:
        species: Name of the predictor's column.
        n: Number of measurements.
        r2: 1 - squared error / squared deviation from the mean of the measurements.
        pearson: Correlation of predicted and measured values.
        rmse: Root of the mean squared error, in log10 micromolar.
    """

    species: str
    n: int
    r2: float
    r2_interval: tuple[float, float]
    pearson: float
    pearson_interval: tuple[float, float]
    rmse: float
    rmse_interval: tuple[float, float]


def clusters(sequences: Sequence[str], identity: float = IDENTITY) -> NDArray[np.int64]:
    """The number of the cluster of each sequence: greedy, the longest first, each with all that are as alike as `identity`."""
    left = np.array(sorted(range(len(sequences)), key=lambda i: (-len(sequences[i]), sequences[i])))
    cluster = np.zeros(len(sequences), dtype=np.int64)
    number = 0
    while len(left):
        alike = cdist(
            [sequences[left[0]]], [sequences[i] for i in left], scorer=Levenshtein.normalized_similarity, workers=1
        )
        near = alike[0] >= identity - 1e-6
        cluster[left[near]] = number
        left, number = left[~near], number + 1
    return cluster


def folds_of(groups: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row, of about the same size, no group in two folds."""
    sizes = np.bincount(groups)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    fold, filled = np.zeros(len(sizes), dtype=np.int64), np.zeros(folds)
    for group in sorted(shuffled, key=lambda g: -sizes[g]):
        fold[group] = filled.argmin()
        filled[fold[group]] += sizes[group]
    return fold[groups]


def cross_validate(
    data: Measurements,
    fit: Callable[[Measurements], MicPredictor],
    split: Split,
    folds: int = 5,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Score], float]:
    """Train without each fold and predict it.

    Returns:
        A score for each species; and how the spread goes with the error: the rank correlation of the predicted spread and
        the absolute error over all measurements (NaN if there is no spread).
    """
    groups = clusters(data.sequences) if split == "clustered" else np.arange(len(data.sequences))
    fold = folds_of(groups, folds, seed)
    mean, spread = np.full_like(data.values, np.nan), np.full_like(data.values, np.nan)
    for i in range(folds):
        out = fold == i
        predictor = fit(data.subset(~out))
        mean[out], spread[out] = predictor.predict(data.subset(out).sequences)
        if progress is not None:
            progress(i + 1, folds)
    rng = np.random.default_rng(seed)
    scores = [_score(s, data.values[:, i], mean[:, i], groups, rng) for i, s in enumerate(data.species)]
    given = ~np.isnan(data.values)
    return scores, _rank_correlation(spread[given], np.abs(mean - data.values)[given])


def _score(
    species: str, measured: FloatArray, predicted: FloatArray, groups: NDArray[np.int64], rng: np.random.Generator
) -> Score:
    given = ~np.isnan(measured)
    y, p = measured[given], predicted[given]
    group = np.unique(groups[given], return_inverse=True)[1]
    sums = np.stack([np.bincount(group, v) for v in (np.ones_like(y), y, p, y * y, p * p, y * p)], 1)
    times_drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    r2, r, e = _numbers(sums.sum(0)[None])[0].tolist()
    ends = np.quantile(_numbers(times_drawn.astype(np.float64) @ sums), [0.025, 0.975], axis=0)
    spans = [(float(low), float(high)) for low, high in ends.T]
    return Score(species, len(y), r2, spans[0], r, spans[1], e, spans[2])


def _numbers(sums: FloatArray) -> FloatArray:
    """R2, Pearson's correlation and RMSE, shape (m, 3), from the sums of 1, y, p, y^2, p^2 and y p, shape (m, 6)."""
    y, p, yy, pp, yp = (sums[:, 1:] / sums[:, :1]).T
    error = np.maximum(yy - 2 * yp + pp, 0.0)
    of_y, of_p = (np.maximum(square - mean**2, 1e-12) for square, mean in ((yy, y), (pp, p)))
    return np.stack([1 - error / of_y, (yp - y * p) / np.sqrt(of_y * of_p), np.sqrt(error)], 1)


def _rank_correlation(a: FloatArray, b: FloatArray) -> float:
    if not a.std():
        return float("nan")
    ranks = [np.argsort(np.argsort(v)).astype(np.float64) for v in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
