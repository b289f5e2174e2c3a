"""The posterior of the deep kernel's process: q(v) in closed form; notation as in `deep_kernel`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular
from scipy.special import log_ndtr

from boltbo.latent.deep_kernel import FEATURES, JITTER, LEAST_NOISE, NODES, WEIGHTS, DeepKernel
from boltbo.optimizers.surrogates import gp
from boltbo.problem import FloatArray

SWEEPS, DAMPING = 20, 0.5
"""Sweeps of the fixed-point iteration for bounds, and the share of the way that each of them goes."""


class DeepPosterior:
    """The deep kernel's process given data.

    Attributes:
        m: Mean of q(v), shape (M,).
        root: Lower Cholesky factor of P, shape (M, M).
    """

    def __init__(self, kernel: DeepKernel, X: FloatArray, targets: FloatArray, complete: NDArray[np.bool_]) -> None:
        self._kernel = kernel
        inducing = kernel.inducing.detach().double().numpy()
        self._Z = kernel.features(inducing if len(inducing) else kernel.places(X, targets))
        self._theta = np.concatenate([np.zeros(kernel.d + FEATURES), kernel.theta[-2:]])
        self._scale = math.exp(self._theta[-2]) + gp.MEAN_VARIANCE
        noise = max(math.exp(self._theta[-1]), LEAST_NOISE)
        diagonal = JITTER * self._scale
        K = gp.kernel(self._Z, self._Z, self._theta) + diagonal * np.eye(len(self._Z))
        self._L = np.tril(gp.cholesky(K.copy, self._scale))
        A = self._whitened(kernel.features(X))
        residual = np.maximum(self._scale - np.einsum("mn,mn->n", A, A), 0.0)
        tau = np.where(complete, 1.0 / noise, 0.0)
        nu = tau * targets
        self._condition(A, tau, nu)
        censored = ~complete
        for _ in range(SWEEPS if censored.any() else 0):
            A_censored = A[:, censored]
            spread = solve_triangular(self.root, A_censored, lower=True)
            mean, variance = self.m @ A_censored, residual[censored] + np.einsum("mn,mn->n", spread, spread)
            slope, curvature = _expected_slopes(mean, variance, targets[censored], math.sqrt(noise))
            tau[censored] += DAMPING * (curvature - tau[censored])
            nu[censored] += DAMPING * (slope + curvature * mean - nu[censored])
            self._condition(A, tau, nu)

    def mean(self, Xs: FloatArray) -> FloatArray:
        """The posterior mean at each point, shape (m,)."""
        return np.asarray(self.m @ self._whitened(self._kernel.features(Xs)))

    def marginals(self, Xs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the function at each point, shapes (m,)."""
        A = self._whitened(self._kernel.features(Xs))
        B = solve_triangular(self.root, A, lower=True)
        variance = self._scale - np.einsum("mn,mn->n", A, A) + np.einsum("mn,mn->n", B, B)
        return self.m @ A, np.maximum(variance, 0.0)

    def sample(self, Xs: FloatArray, q: int, rng: np.random.Generator) -> FloatArray:
        """`q` functions drawn from the posterior, at all of `Xs` jointly; shape (q, m)."""
        phi = self._kernel.features(Xs)
        A = self._whitened(phi)
        B = solve_triangular(self.root, A, lower=True)
        covariance = gp.kernel(phi, phi, self._theta) - A.T @ A + B.T @ B
        L = np.tril(gp.cholesky(covariance.copy, self._scale))
        return np.asarray(self.m @ A + rng.standard_normal((q, len(Xs))) @ L.T)

    def _whitened(self, phi: FloatArray) -> FloatArray:
        """A for features (n, f), shape (M, n)."""
        return np.asarray(solve_triangular(self._L, gp.kernel(self._Z, phi, self._theta), lower=True))

    def _condition(self, A: FloatArray, tau: FloatArray, nu: FloatArray) -> None:
        P = (A * tau) @ A.T
        P.flat[:: len(P) + 1] += 1.0
        self.root = np.tril(gp.cholesky(P.copy, 1.0))
        self.m, _ = lapack.dpotrs(self.root, A @ nu, lower=1)


def _expected_slopes(
    mean: FloatArray, variance: FloatArray, bounds: FloatArray, sigma: float
) -> tuple[FloatArray, FloatArray]:
    """The first and minus the second derivative of log Phi((f - b) / sigma) in f, expected under f ~ N(mean, variance)."""
    z = (mean + np.sqrt(variance) * NODES[:, None] - bounds) / sigma
    g = np.exp(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - log_ndtr(z))
    return WEIGHTS @ g / sigma, WEIGHTS @ (g * (g + z)) / sigma**2
