"""The hyperparameters of the process in `gp`: their priors, and the most probable ones for data. Notation as there.

The gradient needs no n x n matrix per dimension. With W = (alpha alphaᵀ - K⁻¹) / 2 and
dk / d(r²) = -5/6 s (1 + √5 r) exp(-√5 r), the log marginal likelihood has
d / d(log l_d) = sum_ij M_ij (x_id - x_jd)² / l_d², M = W ∘ (5/3 s (1 + √5 r) exp(-√5 r)), and since M is symmetric
sum_ij M_ij (x_id - x_jd)² = 2 (rowsum(M) · x_d² - x_dᵀ M x_d): one matrix product for all dimensions.
(Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, eqs. 2.30 and 5.9.)
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas, lapack
from scipy.optimize import minimize

from boltbo.optimizers.surrogates.gp import MEAN_VARIANCE, ROOT5, distances, noise_variances
from boltbo.problem import FloatArray

# Lengthscales and noise: Hvarfner, Hellsten, Nardi, "Vanilla Bayesian optimization performs great in high dimensions"
# (ICML 2024): log-normal, lengthscales growing with √d, so that the model's complexity does not grow with d.
# Signal variance: around that of standardised targets, free to grow where the data are many, similar points.
LENGTHSCALE_SD = math.sqrt(3.0)
SIGNAL_SD = 1.0
NOISE_MEAN, NOISE_SD = -4.0, 1.0
BOUNDS_LENGTHSCALE = (math.log(5e-3), math.log(1e3))
BOUNDS_SIGNAL = (math.log(1e-2), math.log(1e2))
BOUNDS_NOISE = (math.log(1e-6), math.log(4.0))


def initial_theta(d: int) -> FloatArray:
    """The mode of the priors, shape (d + 2,)."""
    theta = np.zeros(d + 2)
    theta[:d] = lengthscale_mean(d) - LENGTHSCALE_SD**2
    theta[d + 1] = NOISE_MEAN - NOISE_SD**2
    return theta


def objective(
    theta: FloatArray, X: FloatArray, y: FloatArray, variances: FloatArray | None = None
) -> tuple[float, FloatArray]:
    """The negative log posterior of the hyperparameters (up to a constant) and its gradient, shape (d + 2,).

    Args:
        theta: Log-hyperparameters.
        X: Data.
        y: Targets.
        variances: Noise variances, shape (n,), NaN where sigma² holds; None means sigma² everywhere.
    """
    n, d = X.shape
    l2, s = np.exp(2.0 * theta[:d]), math.exp(theta[d])
    N, shared = noise_variances(n, theta, variances)

    scaled = X / np.sqrt(l2)
    r = distances(scaled, scaled)
    r *= ROOT5
    G = np.exp(-r)  # becomes s (1 + √5 r) exp(-√5 r), which both the kernel and its derivative contain
    K = r * r
    K *= G
    K *= s / 3.0
    r += 1.0
    r *= s
    G *= r
    K += G
    K += MEAN_VARIANCE
    K.flat[:: n + 1] += N
    L, failed = lapack.dpotrf(K.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        return math.inf, np.zeros(d + 2)
    both, _ = lapack.dpotrs(L, np.column_stack([y, np.ones(n)]), lower=1)
    alpha, ones = both[:, 0], both[:, 1]
    log_det = 2.0 * np.log(np.diagonal(L)).sum()
    value = -0.5 * (y @ alpha + log_det + n * math.log(2.0 * math.pi))

    inverse, _ = lapack.dpotri(L, lower=1, overwrite_c=1)  # the lower triangle only, and only that is read below
    inverse_diagonal = np.diagonal(inverse).copy()
    M = np.multiply(alpha[:, None], alpha[None, :]).T
    M -= inverse
    M *= G.T
    M *= 0.5 * 5.0 / 3.0
    MX = blas.dsymm(1.0, M, np.column_stack([X, np.ones(n)]), lower=1)
    gradient = np.empty(d + 2)
    gradient[:d] = 2.0 * (MX[:, d] @ (X * X) - (X * MX[:, :d]).sum(axis=0)) / l2
    # tr(W k(X, X)), from k = K - diag(N) - c 1 1ᵀ
    noise_part = N * (alpha * alpha - inverse_diagonal)
    gradient[d] = 0.5 * (y @ alpha - n - noise_part.sum() - MEAN_VARIANCE * (alpha.sum() ** 2 - ones.sum()))
    gradient[d + 1] = 0.5 * noise_part[shared].sum()

    prior, prior_gradient = _log_prior(theta)
    return -(value + prior), -(gradient + prior_gradient)


def fit(
    theta: FloatArray, X: FloatArray, y: FloatArray, variances: FloatArray | None = None, *, iterations: int = 10
) -> FloatArray:
    """A few L-BFGS steps from `theta` towards the most probable hyperparameters; shape (d + 2,).

    The search is capped on purpose: started from the last fit it only has to follow the data.
    """
    d = X.shape[1]
    bounds = [BOUNDS_LENGTHSCALE] * d + [BOUNDS_SIGNAL, BOUNDS_NOISE]
    start = np.clip(theta, [b[0] for b in bounds], [b[1] for b in bounds])
    result = minimize(
        objective,
        start,
        args=(X, y, variances),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": iterations, "maxfun": 2 * iterations, "maxcor": 10},
    )
    return np.asarray(result.x) if np.isfinite(result.fun) and np.isfinite(result.x).all() else start


def lengthscale_mean(d: int) -> float:
    """The mean of the prior of log l in d dimensions."""
    return math.sqrt(2.0) + 0.5 * math.log(d)


def _log_prior(theta: FloatArray) -> tuple[float, FloatArray]:
    """Log densities of l, s and sigma² (log-normal all three) up to a constant, and the gradient in theta."""
    d = len(theta) - 2
    means = np.append(np.full(d, lengthscale_mean(d)), [SIGNAL_SD**2, NOISE_MEAN])  # signal: its mode is 1
    sds = np.append(np.full(d, LENGTHSCALE_SD), [SIGNAL_SD, NOISE_SD])
    z = (theta - means) / sds
    return float(-0.5 * (z @ z) - theta.sum()), -z / sds - 1.0
