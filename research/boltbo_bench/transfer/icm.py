"""The intrinsic coregionalization model: one exact Gaussian process over all tasks.

Bonilla, Chai, Williams, "Multi-task Gaussian process prediction" (NeurIPS 2007); in Bayesian optimization Swersky, Snoek,
Adams, "Multi-task Bayesian optimization" (NeurIPS 2013). Exact over T tasks of N points: T³ N³ time to learn, T² N² memory, and
T² N² for every candidate that is scored.

Notation, beside that of `optimizers.gp`:
    n, T, q     observations of all sources together, source tasks, rank
    t           task of each observation, shape (n,)
    W, u        B = W Wᵀ + diag(u): covariances of tasks; shapes (T, q), (T,)
    K           K_ij = B[t_i, t_j] k(x_i, x_j) + c [t_i = t_j] + sigma² [i = j], k of signal variance 1: each task has a
                constant mean of its own, of prior variance c
    theta       log l (d), W row by row (T q), log u (T), log sigma²
    w, u*       the target's row of W and entry of u

Differences from the papers: the hyperparameters of the sources (l, W, u, sigma²) are learnt once and then kept; for the target
only w and u* are, at each step, by their conditional evidence given the sources. That evidence and every prediction are exact.
To learn all anew at each step, as the papers do, would multiply the seconds of the source fit by the number of steps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.problem import FloatArray
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.shared import SharedSurrogate, Target

Tasks = NDArray[np.intp]

U_MEAN, U_SD = math.log(0.5), 1.0
"""Prior of log u; that of each entry of W is standard normal."""


def correlation(A: FloatArray, B: FloatArray, lengths: FloatArray) -> FloatArray:
    """Matérn-5/2 of signal variance 1, without a mean; shape (len(A), len(B))."""
    theta = np.concatenate([np.log(lengths), [0.0, 0.0]])
    return gp.kernel(A, B, theta) - gp.MEAN_VARIANCE


def objective(theta: FloatArray, X: FloatArray, t: Tasks, y: FloatArray, T: int, q: int) -> tuple[float, FloatArray]:
    """The negative log posterior of theta up to a constant, and its gradient; X (n, d), t (n,), y (n,)."""
    n, d = X.shape
    log_l, W, log_u, noise = split(theta, d, T, q)
    u, l2 = np.exp(log_u), np.exp(2.0 * log_l)
    scaled = X / np.sqrt(l2)
    r = gp.distances(scaled, scaled)
    r *= gp.ROOT5
    E = np.exp(-r)
    G = (5.0 / 3.0) * (1.0 + r) * E  # minus twice dk / d(r²)
    r += r * r / 3.0
    r += 1.0
    r *= E
    k = r
    del E
    one_hot = np.zeros((n, T))
    one_hot[np.arange(n), t] = 1.0
    B = W @ W.T + np.diag(u)
    tasks = B[np.ix_(t, t)]
    K = k * tasks
    K += gp.MEAN_VARIANCE * (one_hot @ one_hot.T)
    K.flat[:: n + 1] += noise + gp.JITTER
    L, failed = lapack.dpotrf(K.T, lower=1, overwrite_a=1, clean=0)
    if failed:
        return math.inf, np.zeros_like(theta)
    alpha, _ = lapack.dpotrs(L, y, lower=1)
    value = 0.5 * (y @ alpha) + float(np.log(np.diagonal(L)).sum())
    inverse, _ = lapack.dpotri(L, lower=1, overwrite_c=1)
    A = np.tril(inverse)
    A += np.tril(inverse, -1).T
    A -= np.outer(alpha, alpha)
    A *= 0.5  # d value / dK

    gradient = np.zeros_like(theta)
    gradient[-1] = noise * np.trace(A)
    k *= A
    by_task = one_hot.T @ k @ one_hot  # d value / dB
    G *= A
    G *= tasks
    gradient[:d] = 2.0 * (G.sum(axis=1) @ (X * X) - (X * (G @ X)).sum(axis=0)) / l2
    gradient[d : d + T * q] = (2.0 * by_task @ W).ravel()
    gradient[d + T * q : -1] = np.diagonal(by_task) * u

    z, dz = _prior(theta, d, T, q)
    return value + z, gradient + dz


def _prior(theta: FloatArray, d: int, T: int, q: int) -> tuple[float, FloatArray]:
    """Minus the log prior, normal in theta but for lengthscales and noise (log-normal, as in `gp`), and its gradient."""
    means = np.concatenate(
        [
            np.full(d, hyperparameters.lengthscale_mean(d)),
            np.zeros(T * q),
            np.full(T, U_MEAN),
            [hyperparameters.NOISE_MEAN],
        ]
    )
    sds = np.concatenate(
        [np.full(d, hyperparameters.LENGTHSCALE_SD), np.ones(T * q), np.full(T, U_SD), [hyperparameters.NOISE_SD]]
    )
    z = (theta - means) / sds
    log_normal = np.concatenate([np.ones(d), np.zeros(T * q + T), [1.0]])
    return float(0.5 * z @ z + log_normal @ theta), z / sds + log_normal


def split(theta: FloatArray, d: int, T: int, q: int) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """log l (d,), W (T, q), log u (T,) and sigma² of theta."""
    a, b = d, d + T * q
    return theta[:a], theta[a:b].reshape(T, q), theta[b : b + T], math.exp(theta[-1])


def initial(d: int, T: int, q: int, rng: np.random.Generator) -> FloatArray:
    """A start: tasks that are alike by about a half."""
    W = 0.1 * rng.standard_normal((T, q))
    W[:, 0] += math.sqrt(0.5)
    log_l = hyperparameters.initial_theta(d)[:d]
    return np.concatenate(
        [log_l, W.ravel(), np.full(T, U_MEAN), [hyperparameters.NOISE_MEAN - hyperparameters.NOISE_SD**2]]
    )


class Joint:
    """The process of all sources for given hyperparameters, and what is believed of the next task.

    Args:
        theta: See above; X (n, d), t (n,), y (n,): the sources' data.
    """

    def __init__(self, theta: FloatArray, X: FloatArray, t: Tasks, y: FloatArray, T: int, q: int) -> None:
        log_l, self.W, log_u, self.noise = split(theta, X.shape[1], T, q)
        self.lengths, self.u, self.X, self.t = np.exp(log_l), np.exp(log_u), X, t
        B = self.W @ self.W.T + np.diag(self.u)
        K = correlation(X, X, self.lengths) * B[np.ix_(t, t)] + gp.MEAN_VARIANCE * (t[:, None] == t[None, :])
        K.flat[:: len(K) + 1] += self.noise + gp.JITTER
        self._L, failed = lapack.dpotrf(K, lower=1, overwrite_a=1)
        if failed:
            raise gp.Unstable(f"the covariance of {len(y)} observations of {T} tasks is not positive definite")
        self._alpha, _ = lapack.dpotrs(self._L, y, lower=1)

    def cross(self, Xs: FloatArray) -> list[FloatArray]:
        """For each of the q columns of W: covariances of points (m, d) with the sources per unit of w; shapes (m, n)."""
        k = correlation(Xs, self.X, self.lengths)
        return [k * column[self.t] for column in self.W.T]

    def explained(self, C: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of cross-covariances C (m, n): the mean they give, (m,), and L⁻¹ Cᵀ, (n, m)."""
        V, _ = lapack.dtrtrs(self._L, C.T, lower=1)
        return C @ self._alpha, V


class Coregionalized:
    """A new task beside the sources: exact given `Joint`.

    Args:
        joint: The sources.
        X, y: The new task's data, (n, d) and (n,).
        w, u: Its row of W and entry of u; None: most probable.
    """

    def __init__(
        self, joint: Joint, X: FloatArray, y: FloatArray, w: FloatArray | None = None, u: float | None = None
    ) -> None:
        self.joint, self.X, self.y = joint, X, y
        found = [joint.explained(C) for C in joint.cross(X)]
        self._means = np.array([m for m, _ in found])  # (q, n)
        projected = [V for _, V in found]
        self._taken = np.array([[V.T @ U for U in projected] for V in projected])  # (q, q, n, n)
        self._k = correlation(X, X, joint.lengths)
        self.w, self.u = self._most_probable() if w is None or u is None else (w, u)
        K, mean = self._prior(self.w, self.u)
        self._L = gp.cholesky(lambda: K.copy(), 1.0)
        self._alpha, _ = lapack.dpotrs(self._L, y - mean, lower=1)
        self._V = sum(weight * V for weight, V in zip(self.w, projected, strict=True))

    def _prior(self, w: FloatArray, u: float) -> tuple[FloatArray, FloatArray]:
        """Covariance, noise included, and mean of the new task's observations given the sources; (n, n), (n,)."""
        K = (w @ w + u) * self._k + gp.MEAN_VARIANCE - np.einsum("q,qrij,r->ij", w, self._taken, w)
        K.flat[:: len(K) + 1] += self.joint.noise + gp.JITTER
        return K, w @ self._means

    def _most_probable(self) -> tuple[FloatArray, float]:
        q = self.joint.W.shape[1]

        def loss(p: FloatArray) -> float:
            K, mean = self._prior(p[:q], math.exp(p[q]))
            L, failed = lapack.dpotrf(K, lower=1)
            if failed:
                return 1e10
            z, _ = lapack.dtrtrs(L, self.y - mean, lower=1)
            own = 0.5 * (z @ z) + float(np.log(np.diagonal(L)).sum())
            return float(own + 0.5 * (p[:q] @ p[:q]) + 0.5 * ((p[q] - U_MEAN) / U_SD) ** 2)

        typical = np.append(self.joint.W.mean(axis=0), np.log(self.joint.u).mean())
        starts = [typical, np.append(-typical[:q], typical[q]), np.append(np.full(q, 0.05), U_MEAN)]
        bounds = [(-3.0, 3.0)] * q + [(math.log(1e-3), math.log(10.0))]
        tries = [minimize(loss, s, method="L-BFGS-B", bounds=bounds, options={"maxiter": 20}) for s in starts]
        best = min(tries, key=lambda found: float(found.fun))
        return np.asarray(best.x[:q]), math.exp(best.x[q])

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        C = sum(weight * c for weight, c in zip(self.w, self.joint.cross(X), strict=True))
        mean, V = self.joint.explained(np.asarray(C))
        k = (self.w @ self.w + self.u) * correlation(X, self.X, self.joint.lengths) + gp.MEAN_VARIANCE - V.T @ self._V
        U, _ = lapack.dtrtrs(self._L, k.T, lower=1)
        prior = self.w @ self.w + self.u + gp.MEAN_VARIANCE - np.einsum("nm,nm->m", V, V)
        return mean + k @ self._alpha, np.maximum(prior - np.einsum("nm,nm->m", U, U), 0.0)


class Icm(SharedSurrogate):
    """The coregionalized process over all source tasks and the target.

    Args:
        features, shared: As for `SharedSurrogate`.
        rank: q.
        iterations: L-BFGS steps of the source fit.
    """

    def __init__(self, features: Features, *, rank: int = 2, iterations: int = 25, **shared: Any) -> None:
        super().__init__(features, **shared)
        if rank < 1 or iterations < 0:
            raise ValueError(f"rank must be at least 1 and iterations at least 0, got {rank} and {iterations}")
        self.rank, self.iterations = rank, iterations

    def _learn(self) -> None:
        T, q, d = len(self.sources), self.rank, self.sources[0].X.shape[1]
        X, y = np.vstack([s.X for s in self.sources]), np.concatenate([s.y for s in self.sources])
        t = np.repeat(np.arange(T), [len(s.y) for s in self.sources])
        start = initial(d, T, q, np.random.default_rng(self.seed))
        bounds = [hyperparameters.BOUNDS_LENGTHSCALE] * d + [(-3.0, 3.0)] * (T * q)
        bounds += [(math.log(1e-3), math.log(10.0))] * T + [hyperparameters.BOUNDS_NOISE]
        found = minimize(
            objective,
            start,
            args=(X, t, y, T, q),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": self.iterations, "maxfun": 2 * self.iterations},
        )
        theta = found.x if self.iterations and np.isfinite(found.fun) and np.isfinite(found.x).all() else start
        self._joint = Joint(np.asarray(theta), X, t, y, T, q)

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        return Coregionalized(self._joint, X, y)
