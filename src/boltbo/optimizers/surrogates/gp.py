"""An exact Gaussian process with a Matérn-5/2 kernel, one lengthscale per dimension, in NumPy and LAPACK.

Notation:
    n, m, d     numbers of data, of test points, of dimensions
    X, Xs       data and test points, shapes (n, d) and (m, d)
    y           targets, shape (n,)
    theta       log-hyperparameters, shape (d + 2,): log l_1 … log l_d, log s, log sigma²
    l, s        lengthscales, shape (d,), and signal variance
    sigma²      noise variance of the targets that have no variance of their own
    N           noise variances, shape (n,): sigma², or what `variances` gives
    c           prior variance of the unknown constant mean (`MEAN_VARIANCE`); integrated out as a constant kernel
    r           scaled distances: r_ij² = sum_d (x_id - x_jd)² / l_d²
    k           s (1 + √5 r + 5/3 r²) exp(-√5 r)
    K, L        k(X, X) + c 1 1ᵀ + diag(N), and its lower Cholesky factor; shape (n, n)
    alpha       K⁻¹ y, shape (n,)

The gradient needs no n x n matrix per dimension. With W = (alpha alphaᵀ - K⁻¹) / 2 and
dk / d(r²) = -5/6 s (1 + √5 r) exp(-√5 r), the log marginal likelihood has
d / d(log l_d) = sum_ij M_ij (x_id - x_jd)² / l_d², M = W ∘ (5/3 s (1 + √5 r) exp(-√5 r)), and since M is symmetric
sum_ij M_ij (x_id - x_jd)² = 2 (rowsum(M) · x_d² - x_dᵀ M x_d): one matrix product for all dimensions.
(Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, eqs. 2.30 and 5.9.)
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import blas, lapack
from scipy.optimize import minimize

from boltbo.problem import FloatArray

ROOT5 = math.sqrt(5.0)
MEAN_VARIANCE = 1.0
JITTER = 1e-9
BLOCK = 128

# Lengthscales and noise: Hvarfner, Hellsten, Nardi, "Vanilla Bayesian optimization performs great in high dimensions"
# (ICML 2024): log-normal, lengthscales growing with √d, so that the model's complexity does not grow with d.
# Signal variance: around that of standardised targets, free to grow where the data are many, similar points.
LENGTHSCALE_SD = math.sqrt(3.0)
SIGNAL_SD = 1.0
NOISE_MEAN, NOISE_SD = -4.0, 1.0
BOUNDS_LENGTHSCALE = (math.log(5e-3), math.log(1e3))
BOUNDS_SIGNAL = (math.log(1e-2), math.log(1e2))
BOUNDS_NOISE = (math.log(1e-6), math.log(4.0))


class Unstable(ArithmeticError):
    """A matrix is not positive definite even with jitter."""


def initial_theta(d: int) -> FloatArray:
    """The mode of the priors, shape (d + 2,)."""
    theta = np.zeros(d + 2)
    theta[:d] = _lengthscale_mean(d) - LENGTHSCALE_SD**2
    theta[d + 1] = NOISE_MEAN - NOISE_SD**2
    return theta


def kernel(Xs: FloatArray, X: FloatArray, theta: FloatArray, *, half: bool = False) -> FloatArray:
    """Prior covariances of the function, the constant mean's included; shape (m, n).

    With `half`, only the upper triangle is right, which is all that LAPACK reads of a symmetric matrix.
    """
    scales = np.exp(-theta[:-2])
    A, B = Xs * scales, X * scales
    K = np.empty((len(A), len(B)))
    for start in range(0, len(A), BLOCK):  # block by block: a block fits the cache, and every pass over it is cheap
        left = start if half else 0
        rows = K[start : start + BLOCK, left:]
        r = _distances(A[start : start + BLOCK], B[left:])
        r *= ROOT5
        np.negative(r, out=rows)
        np.exp(rows, out=rows)
        rows *= math.exp(theta[-2])
        polynomial = r * (1.0 / 3.0)
        polynomial += 1.0
        polynomial *= r
        polynomial += 1.0
        rows *= polynomial
        rows += MEAN_VARIANCE
    return K


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
    N, shared = _noise(n, theta, variances)

    scaled = X / np.sqrt(l2)
    r = _distances(scaled, scaled)
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


class Posterior:
    """The Gaussian process given data.

    Args:
        theta: Log-hyperparameters.
        X: Data.
        y: Targets.
        variances: Noise variances, as in `objective`.
    """

    def __init__(self, theta: FloatArray, X: FloatArray, y: FloatArray, variances: FloatArray | None = None) -> None:
        self.theta, self.X = theta, X
        noise = _noise(len(X), theta, variances)[0]
        self._L = cholesky(
            lambda: _plus_diagonal(kernel(X, X, theta, half=True), noise), math.exp(theta[-2]) + MEAN_VARIANCE
        )
        self._alpha, _ = lapack.dpotrs(self._L, y, lower=1)

    def mean(self, Xs: FloatArray) -> FloatArray:
        """The posterior mean at each point, shape (m,)."""
        return np.asarray(kernel(Xs, self.X, self.theta) @ self._alpha)

    def joint(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean, shape (m,), and covariance, shape (m, m), of the function (without noise)."""
        mean, V = self._project(Xs)
        return mean, kernel(Xs, Xs, self.theta) - V.T @ V

    def marginals(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the function at each point, shapes (m,)."""
        mean, V = self._project(Xs)
        variance = math.exp(self.theta[-2]) + MEAN_VARIANCE - np.einsum("nm,nm->m", V, V)
        return mean, np.maximum(variance, 0.0)

    def sample(self, Xs: FloatArray, q: int, rng: np.random.Generator) -> FloatArray:
        """`q` functions drawn from the posterior, at all of `Xs` jointly; shape (q, m)."""
        mean, V = self._project(Xs)

        def covariance() -> FloatArray:
            K = kernel(Xs, Xs, self.theta, half=True)
            return np.asarray(blas.dsyrk(-1.0, V, beta=1.0, c=K.T, trans=1, lower=1, overwrite_c=1).T)

        L = cholesky(covariance, math.exp(self.theta[-2]))
        normal = np.asfortranarray(rng.standard_normal((q, len(Xs))).T)
        return np.asarray(mean + blas.dtrmm(1.0, L, normal, lower=1).T)

    def _project(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The mean at `Xs`, shape (m,), and V = L⁻¹ k(X, Xs), shape (n, m): the data lower k(Xs, Xs) by VᵀV."""
        C = kernel(Xs, self.X, self.theta)
        mean = C @ self._alpha
        V, _ = lapack.dtrtrs(self._L, C.T, lower=1, overwrite_b=1)
        return mean, V


def cholesky(make: Callable[[], FloatArray], scale: float) -> FloatArray:
    """The factor L of a symmetric matrix, in the lower triangle of the result, with as little jitter as it takes.

    Args:
        make: Makes the matrix in C order; its upper triangle is read. Called anew for each try, which overwrites it.
        scale: The size of the variances that matter; jitter starts at `JITTER` of it.

    Raises:
        Unstable: No reasonable jitter helps.
    """
    jitter = JITTER * scale
    for _ in range(6):
        A = _plus_diagonal(make(), jitter)
        L, failed = lapack.dpotrf(A.T, lower=1, overwrite_a=1, clean=0)
        if not failed:
            return np.asarray(L)
        jitter *= 10.0
    raise Unstable(f"a covariance of shape {A.shape} is not positive definite with jitter {jitter / 10.0:.1e}")


def _plus_diagonal(K: FloatArray, diagonal: FloatArray | float) -> FloatArray:
    """K with `diagonal` added to its diagonal, in place."""
    K.flat[:: len(K) + 1] += diagonal
    return K


def _distances(A: FloatArray, B: FloatArray) -> FloatArray:
    """Euclidean distances of rows, shape (len(A), len(B))."""
    centre = B.mean(axis=0)  # nearer to zero, the squares cancel with less error
    A, B = A - centre, B - centre
    r2 = (-2.0 * A) @ B.T
    r2 += np.einsum("nd,nd->n", A, A)[:, None]
    r2 += np.einsum("nd,nd->n", B, B)[None, :]
    np.maximum(r2, 0.0, out=r2)
    return np.asarray(np.sqrt(r2, out=r2))


def _noise(n: int, theta: FloatArray, variances: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """All noise variances, and whether each is the shared sigma²; shapes (n,)."""
    if variances is None:
        return np.full(n, math.exp(theta[-1])), np.ones(n, dtype=bool)
    shared = np.isnan(variances)
    return np.where(shared, math.exp(theta[-1]), variances), shared


def _lengthscale_mean(d: int) -> float:
    return math.sqrt(2.0) + 0.5 * math.log(d)


def _log_prior(theta: FloatArray) -> tuple[float, FloatArray]:
    """Log densities of l, s and sigma² (log-normal all three) up to a constant, and the gradient in theta."""
    d = len(theta) - 2
    means = np.append(np.full(d, _lengthscale_mean(d)), [SIGNAL_SD**2, NOISE_MEAN])  # signal: its mode is 1
    sds = np.append(np.full(d, LENGTHSCALE_SD), [SIGNAL_SD, NOISE_SD])
    z = (theta - means) / sds
    return float(-0.5 * (z @ z) - theta.sum()), -z / sds - 1.0
