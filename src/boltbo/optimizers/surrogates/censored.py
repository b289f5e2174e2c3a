"""Observations of which only a lower bound is known, in a Gaussian process.

A censored observation says y > b with y = f + noise: the likelihood is p(y > b | f) = Phi((f - b) / sigma), that of the
Tobit model (Tobin, 1958; in Bayesian optimization Hutter et al., 2013; Eggensperger et al., 2020). Expectation
propagation (Minka, 2001; Rasmussen & Williams, 2006, sections 3.6 and 5.5) replaces each such factor by a Gaussian in
f, a *site*, with the moments that the factor would give. A site is no more than a target with a noise variance of its
own, so the rest of the model stays an exact Gaussian process. A bound far below the posterior mean gets a huge variance
and says nothing; a bound above it pulls the function up.

Notation:
    c           number of censored points
    m, S        mean and covariance of f there given the complete observations; shapes (c,), (c, c)
    tau, nu     precision of each site, and precision times its mean; shapes (c,)
    z           (mu - b) / sqrt(v + sigma²), for a cavity (the posterior without the site) of mean mu and variance v
    g, h        first and minus second derivative of log Phi(z) in mu:
                g = phi(z) / Phi(z) / sqrt(v + sigma²),  h = g (g + z / sqrt(v + sigma²))
    site        tau = 1 / (1 / h - v), mean mu + g / h; h < 1 / v since log Phi is concave, so tau > 0
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack
from scipy.special import log_ndtr

from boltbo.problem import FloatArray

MAX_SWEEPS = 30
DAMPING = 0.7
TOLERANCE = 1e-4
MAX_VARIANCE = 1e4


def sites(m: FloatArray, S: FloatArray, bounds: FloatArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Targets and noise variances, shapes (c,), that stand for the bounds, by damped parallel sweeps.

    Args:
        m: Means given the complete observations.
        S: Covariances given the complete observations.
        bounds: Lower bounds b of the noisy objective.
        noise: Noise variance sigma².
    """
    tau, nu = np.full(len(m), 1.0 / MAX_VARIANCE), m / MAX_VARIANCE
    for _ in range(MAX_SWEEPS):
        posterior_mean, posterior_variance = _posterior(m, S, tau, nu)
        v = 1.0 / np.maximum(1.0 / posterior_variance - tau, 1e-12)
        mu = v * (posterior_mean / posterior_variance - nu)
        new_tau, new_mean = _moments(mu, v, bounds, noise)
        step = DAMPING * (new_tau - tau), DAMPING * (new_tau * new_mean - nu)
        tau, nu = tau + step[0], nu + step[1]
        if max(np.abs(step[0] / (tau + 1.0)).max(), np.abs(step[1] / (np.abs(nu) + 1.0)).max()) < TOLERANCE:
            break
    return nu / tau, 1.0 / tau


def _posterior(m: FloatArray, S: FloatArray, tau: FloatArray, nu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Marginal means and variances of f given complete observations and sites.

    P = S - S R B⁻¹ R S with R = diag(√tau), B = I + R S R (always well conditioned); the mean is m + P (nu - tau m).
    """
    root = np.sqrt(tau)
    B = root[:, None] * S * root[None, :]
    B.flat[:: len(m) + 1] += 1.0
    L, _ = lapack.dpotrf(B, lower=1)
    V, _ = lapack.dtrtrs(L, root[:, None] * S, lower=1)
    shift = nu - tau * m
    mean = m + S @ shift - V.T @ (V @ shift)
    variance = np.diagonal(S) - np.einsum("ij,ij->j", V, V)
    return mean, np.maximum(variance, 1e-10)


def _moments(mu: FloatArray, v: FloatArray, bounds: FloatArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """Precision and mean of the sites that match the moments of cavity times factor."""
    g, h = _slopes(mu, v, bounds, noise)
    h = np.maximum(h, 1e-300)
    tau = np.clip(1.0 / np.maximum(1.0 / h - v, 1e-6), 1.0 / MAX_VARIANCE, None)
    return tau, np.where(tau > 1.0 / MAX_VARIANCE, mu + g / h, mu)


def _slopes(mu: FloatArray, v: FloatArray, bounds: FloatArray, noise: float) -> tuple[FloatArray, FloatArray]:
    """g and h of the notation above, shapes (c,)."""
    root = np.sqrt(v + noise)
    z = (mu - bounds) / root
    g = np.exp(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi) - log_ndtr(z)) / root
    return g, g * (g + z / root)
