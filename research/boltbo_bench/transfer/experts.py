"""Ensembles of Gaussian processes, one expert a task: POGPE, SGPE and RGPE.

Each source task has a process of its own, fitted once (linear in the number of tasks); the target's is made anew from its data.
They differ in how the experts' predictions are combined.

Notation:
    mu_i, v_i   an expert's mean and variance at a point
    b_i         its share in a product of experts: 1 / v = sum_i b_i / v_i,  mu = v sum_i b_i mu_i / v_i
    w_i         its weight in a sum of experts: mu = sum_i w_i mu_i,  v = sum_i w_i² v_i
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import lapack

from boltbo.optimizers.surrogates import gp
from boltbo.problem import FloatArray
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.shared import Plain, SharedSurrogate, Target

LEAST_VARIANCE = 1e-8
OWN_SHARE = 0.5
SAMPLES = 256
DILUTION = 0.95


def product(means: FloatArray, variances: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of a generalised product of experts, shapes (m,) (Cao & Fleet, 2014).

    Args:
        means, variances: Of each expert at each point, shapes (k, m).
        shares: b, shape (k,), sum 1: far from all data the product has an expert's prior variance.
    """
    precisions = shares[:, None] / np.maximum(variances, LEAST_VARIANCE)
    variance = 1.0 / precisions.sum(axis=0)
    return variance * (precisions * means).sum(axis=0), variance


class Product:
    """A product of experts.

    Args:
        experts: Of the source tasks, and of the target at the end.
        shares: b, shape (len(experts),).
    """

    def __init__(self, experts: Sequence[Target], shares: FloatArray) -> None:
        self.experts, self.shares = experts, shares

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        found = [expert.predict(X) for expert in self.experts]
        return product(np.array([m for m, _ in found]), np.array([v for _, v in found]), self.shares)


class Pogpe(SharedSurrogate):
    """Product of Gaussian-process experts (Schilling, Wistuba, Schmidt-Thieme, ECML-PKDD 2016).

    The target's expert has half of the shares, the sources' the other half in equal parts. Differs from the paper in the
    kernel (Matérn-5/2 with a lengthscale a column, most probable hyperparameters) and in each task's standardisation.
    """

    def _learn(self) -> None:
        self._experts = [Plain(s.X, s.y) for s in self.sources]

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        k = len(self._experts)
        return Product([*self._experts, Plain(X, y)], np.append(np.full(k, (1.0 - OWN_SHARE) / k), OWN_SHARE))


class Sgpe(SharedSurrogate):
    """Single Gaussian-process expert beside the target's: one process of all source observations together.

    After the method that stands beside POGPE in Schilling et al. (2016). Written without the paper's text at hand, from its
    name and what later papers say of it: all sources are one expert with half of the shares, the target's has the other
    half. The pooled process is exact, cubic in the number of observations, so of more than `pooled` it takes that many at
    random: beyond, it grows no more.

    Args:
        features, shared: As for `SharedSurrogate`.
        pooled: Observations of all sources together, at most.
    """

    def __init__(self, features: Features, *, pooled: int = 1000, **shared: Any) -> None:
        super().__init__(features, **shared)
        if pooled < 2:
            raise ValueError(f"pooled must be at least 2, got {pooled}")
        self.pooled = pooled

    def _learn(self) -> None:
        X, y = np.vstack([s.X for s in self.sources]), np.concatenate([s.y for s in self.sources])
        if len(y) > self.pooled:
            rows = np.sort(np.random.default_rng(self.seed).choice(len(y), self.pooled, replace=False))
            X, y = X[rows], y[rows]
        self._expert = Plain(X, y)

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        return Product([self._expert, Plain(X, y)], np.array([1.0 - OWN_SHARE, OWN_SHARE]))


class Weighted:
    """A weighted sum of experts; see w above."""

    def __init__(self, experts: Sequence[Target], weights: FloatArray) -> None:
        self.experts, self.weights = experts, weights

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, variance = np.zeros(len(X)), np.zeros(len(X))
        for expert, weight in zip(self.experts, self.weights, strict=True):
            if weight > 0.0:
                m, v = expert.predict(X)
                mean += weight * m
                variance += weight * weight * v
        return mean, variance


class Rgpe(SharedSurrogate):
    """Ranking-weighted Gaussian-process ensemble (Feurer, Letham, Hutter, Bakshy, 2018, arXiv 1802.02219).

    An expert's weight is the share of posterior draws in which it orders the target's observations best of all experts, the
    target's own judged by leave-one-out predictions. A source whose median loss is above the target's 95th percentile is
    left out (the paper's guard against dilution). Differs from the paper in that a tie of sources is shared between them
    and not drawn (one with the target goes to the target), and in each task's standardisation.
    """

    def _learn(self) -> None:
        self._experts = [Plain(s.X, s.y) for s in self.sources]

    def weights(self, X: FloatArray, y: FloatArray, own: Plain) -> FloatArray:
        """Of the sources and, last, of the target; shape (T + 1,), sum 1; X (n, F) scaled."""
        rng = np.random.default_rng([self.seed, len(y)])
        losses = [misordered(e.posterior.sample(X, SAMPLES, rng), y) for e in self._experts]
        mean, variance = left_out(own)
        drawn = mean + np.sqrt(variance) * rng.standard_normal((SAMPLES, len(y)))
        return ranking_weights(np.array([*losses, misordered(drawn, y)]))

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        own = Plain(X, y)
        return Weighted([*self._experts, own], self.weights(X, y, own))


def misordered(draws: FloatArray, y: FloatArray) -> FloatArray:
    """How many ordered pairs of observations each draw (S, n) orders otherwise than y (n,); shape (S,)."""
    wrong = (draws[:, :, None] < draws[:, None, :]) ^ (y[:, None] < y[None, :])
    return np.asarray(wrong.sum(axis=(1, 2)))


def left_out(model: Plain) -> tuple[FloatArray, FloatArray]:
    """Predictions of each observation by all the others, hyperparameters kept (Rasmussen & Williams, 2006, eq. 5.12)."""
    K = gp.kernel(model.X, model.X, model.theta)
    K.flat[:: len(K) + 1] += np.exp(model.theta[-1]) + gp.JITTER
    L, _ = lapack.dpotrf(K, lower=1)
    inverse, _ = lapack.dpotrs(L, np.eye(len(K)), lower=1)
    variance = 1.0 / np.diagonal(inverse)
    return model.y - (inverse @ model.y) * variance, variance


def ranking_weights(losses: FloatArray) -> FloatArray:
    """Shares of draws in which each expert loses least; shape (k,).

    Args:
        losses: Shape (k, S), the target's in the last row.
    """
    losses = losses.astype(float)
    limit = np.quantile(losses[-1], DILUTION)
    losses[:-1][np.median(losses[:-1], axis=1) > limit] = np.inf
    least = losses == losses.min(axis=0)
    least[:-1] &= ~least[-1]
    return np.asarray((least / least.sum(axis=0)).mean(axis=1))
