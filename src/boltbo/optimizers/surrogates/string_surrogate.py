"""The model of `edits`: a Gaussian process on `string_features`, one lengthscale for each group of features.

Notation as in `gp`, and
    D           squared distances within each of g groups, shape (g, n, n); here g = 3: count, pair, place
    theta       log-hyperparameters, shape (g + 2,): log l of each group, log s, log sigma²
    r²          sum_g D_g / l_g²: one Matérn-5/2 kernel over all groups together
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.optimizers.surrogates.string_features import SIZES, SLICES
from boltbo.optimizers.surrogates.surrogate import Surrogate
from boltbo.problem import FloatArray

GROUPS = len(SIZES)

# Priors, log-normal: lengthscales around twice the median distance of the data, signal variance around 1, noise as for points.
LENGTH_SD, SIGNAL_SD, NOISE_MEAN, NOISE_SD = 1.7, 1.5, -4.0, 1.5
BOUND_LENGTH = 4.0
"""How far, in logarithms, a lengthscale may be below its prior's mean; it may be half as far again above."""


class StringSurrogate(Surrogate):
    """A `Surrogate` over vectors of `string_features`.

    Args:
        theta: Log-hyperparameters, or None for the prior's means.
        X, values, censored: Points, values and which of these are bounds, as for `Surrogate`.
    """

    def __init__(
        self, theta: FloatArray | None, X: FloatArray, values: FloatArray, censored: NDArray[np.bool_]
    ) -> None:
        super().__init__(prior_mean(distances(X)) if theta is None else theta, X, values, censored)

    def _improved(self, iterations: int) -> FloatArray:
        return fit(self.theta, distances(self._X), self._targets, self._variances, iterations=iterations)

    def _given(self, X: FloatArray, y: FloatArray, variances: FloatArray | None = None) -> gp.Posterior:
        return gp.Posterior(
            np.concatenate([np.repeat(self.theta[:GROUPS], SIZES), self.theta[GROUPS:]]), X, y, variances
        )


def distances(X: FloatArray) -> FloatArray:
    """Squared distances within each group of columns, shape (3, n, n)."""
    D = np.empty((GROUPS, len(X), len(X)))
    for d2, columns in zip(D, SLICES, strict=True):
        A = X[:, columns] - X[:, columns].mean(axis=0)
        squares = np.einsum("nd,nd->n", A, A)
        np.matmul(A, -2.0 * A.T, out=d2)
        d2 += squares[:, None]
        d2 += squares[None, :]
        np.maximum(d2, 0.0, out=d2)
        np.fill_diagonal(d2, 0.0)
    return D


def prior_mean(D: FloatArray) -> FloatArray:
    """The mean of the priors of theta, which is where a search for it starts."""
    typical = [np.median(d2[d2 > 1e-9]) if (d2 > 1e-9).any() else 1.0 for d2 in D]
    return np.array([*(math.log(2.0) + 0.5 * np.log(typical)), 0.0, NOISE_MEAN])


def objective(
    theta: FloatArray, D: FloatArray, y: FloatArray, variances: FloatArray | None, mean: FloatArray
) -> tuple[float, FloatArray]:
    """The negative log posterior of theta up to a constant, and its gradient.

    Args:
        theta: Log-hyperparameters.
        D: Squared distances of the data.
        y: Targets.
        variances: Noise variances as in `hyperparameters.objective`.
        mean: Mean of the priors.
    """
    g, n = len(D), len(y)
    shared = np.ones(n, dtype=bool) if variances is None else np.isnan(variances)
    noise = np.full(n, math.exp(theta[-1])) if variances is None else np.where(shared, math.exp(theta[-1]), variances)
    inverse_squares, s = np.exp(-2.0 * theta[:g]), math.exp(theta[g])

    r = np.tensordot(inverse_squares, D, axes=1)
    np.sqrt(r, out=r)
    r *= gp.ROOT5
    G = np.exp(-r)
    G *= s
    K = r * r
    K *= 1.0 / 3.0
    r += 1.0
    K += r
    K *= G
    G *= r  # s (1 + √5 r) exp(-√5 r)
    signal = K.copy()
    K += gp.MEAN_VARIANCE
    K.flat[:: n + 1] += noise + gp.JITTER
    L, failed = lapack.dpotrf(K.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        return math.inf, np.zeros_like(theta)
    alpha, _ = lapack.dpotrs(L, y, lower=1)
    value = -0.5 * (y @ alpha) - np.log(np.diagonal(L)).sum()

    inverse, _ = lapack.dpotri(L, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    W = 0.5 * (np.outer(alpha, alpha) - inverse)
    WG = (W * G).ravel()
    gradient = np.empty_like(theta)
    gradient[:g] = 5.0 / 3.0 * inverse_squares * (D.reshape(g, -1) @ WG)
    gradient[g] = W.ravel() @ signal.ravel()
    gradient[-1] = (np.diagonal(W) * noise)[shared].sum()

    sds = np.array([*[LENGTH_SD] * g, SIGNAL_SD, NOISE_SD])
    z = (theta - mean) / sds
    return -(value - 0.5 * (z @ z)), -(gradient - z / sds)


def fit(
    theta: FloatArray, D: FloatArray, y: FloatArray, variances: FloatArray | None = None, *, iterations: int
) -> FloatArray:
    """A few L-BFGS steps from `theta` towards the most probable hyperparameters; capped as in `hyperparameters.fit`."""
    mean = prior_mean(D)
    bounds = [(m - BOUND_LENGTH, m + 1.5 * BOUND_LENGTH) for m in mean[: len(D)]] + [
        hyperparameters.BOUNDS_SIGNAL,
        hyperparameters.BOUNDS_NOISE,
    ]
    start = np.clip(theta, [b[0] for b in bounds], [b[1] for b in bounds])
    result = minimize(
        objective,
        start,
        args=(D, y, variances, mean),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "maxfun": 2 * iterations},
    )
    return np.asarray(result.x) if np.isfinite(result.fun) and np.isfinite(result.x).all() else start
