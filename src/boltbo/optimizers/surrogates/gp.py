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

(Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006, chapter 2.) `hyperparameters` says what theta should be.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import blas, lapack

from boltbo.problem import FloatArray

ROOT5 = math.sqrt(5.0)
MEAN_VARIANCE = 1.0
JITTER = 1e-9
BLOCK = 128


class Unstable(ArithmeticError):
    """A matrix is not positive definite even with jitter."""


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
        r = distances(A[start : start + BLOCK], B[left:])
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
        noise = noise_variances(len(X), theta, variances)[0]
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


def distances(A: FloatArray, B: FloatArray) -> FloatArray:
    """Euclidean distances of rows, shape (len(A), len(B))."""
    centre = B.mean(axis=0)  # nearer to zero, the squares cancel with less error
    A, B = A - centre, B - centre
    r2 = (-2.0 * A) @ B.T
    r2 += np.einsum("nd,nd->n", A, A)[:, None]
    r2 += np.einsum("nd,nd->n", B, B)[None, :]
    np.maximum(r2, 0.0, out=r2)
    return np.asarray(np.sqrt(r2, out=r2))


def noise_variances(n: int, theta: FloatArray, variances: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """All noise variances, and whether each is the shared sigma²; shapes (n,)."""
    if variances is None:
        return np.full(n, math.exp(theta[-1])), np.ones(n, dtype=bool)
    shared = np.isnan(variances)
    return np.where(shared, math.exp(theta[-1]), variances), shared
