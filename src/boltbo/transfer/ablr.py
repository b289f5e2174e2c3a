"""Adaptive Bayesian linear regression: features that all tasks share, a linear model with uncertainty for each.

Perrone, Jenatton, Seeger, Archambeau, "Scalable hyperparameter transfer learning" (NeurIPS 2018). The network and each task's
two precisions maximise the sum of the tasks' log marginal likelihoods, by L-BFGS on all tasks at once: linear in the number
of tasks, and in the points of each.

Differences from the paper: the target is not learnt along; its two precisions are, by their evidence, at each step of the
search, on features that the sources taught. A constant stands beside the network's 50 features. Weights decay a little.

Notation:
    Phi         features of a task's points, shape (n, D), D = 51
    a, b        precisions of the weights' prior and of the noise, one of each a task
    S           a I + b Phiᵀ Phi; the weights given y are N(b S⁻¹ Phiᵀ y, S⁻¹)
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.linalg import lapack
from scipy.optimize import minimize
from torch import Tensor, nn

from boltbo.problem import FloatArray
from boltbo.threads import one_torch_thread
from boltbo.transfer.features import Features
from boltbo.transfer.shared import SharedSurrogate, Target
from boltbo.transfer.sources import padded

HIDDEN = 50
DECAY = 1e-3
# Priors of log a and log b, normal: they matter where a task has a handful of points.
A_MEAN, B_MEAN, SD = 0.0, 4.0, 2.0
BOUNDS = ((-6.0, 12.0), (-4.0, 12.0))


class LinearPosterior:
    """Bayesian linear regression on features Phi (n, D), targets y (n,), for given precisions."""

    def __init__(self, Phi: FloatArray, y: FloatArray, a: float, b: float) -> None:
        S = a * np.eye(Phi.shape[1]) + b * Phi.T @ Phi
        self._L, failed = lapack.dpotrf(S, lower=1)
        if failed:
            raise ArithmeticError(f"the precision of {Phi.shape[1]} weights is not positive definite")
        self.weights, _ = lapack.dpotrs(self._L, b * (Phi.T @ y), lower=1)
        residual = y - Phi @ self.weights
        n, D = Phi.shape
        self.evidence = 0.5 * float(
            D * math.log(a) + n * math.log(b / (2.0 * math.pi)) - b * (residual @ residual)
            - a * (self.weights @ self.weights) - 2.0 * np.log(np.diagonal(self._L)).sum()
        )  # fmt: skip
        """log p(y | a, b) (Bishop, 2006, eq. 3.86)"""

    def predict(self, Phi: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the function (without noise) at features (m, D), shapes (m,)."""
        V, _ = lapack.dtrtrs(self._L, Phi.T, lower=1)
        return Phi @ self.weights, np.einsum("dm,dm->m", V, V)


class Network(nn.Module):
    """The shared features: three layers of 50 tanh units as in the paper, and a constant."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            sizes = [(dim, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, HIDDEN)]
            self.layers = nn.Sequential(*[m for size in sizes for m in (nn.Linear(*size), nn.Tanh())]).double()

    def forward(self, X: Tensor) -> Tensor:
        phi: Tensor = self.layers((X - 0.5) * math.sqrt(12.0))
        return torch.cat([phi, torch.ones_like(phi[..., :1])], dim=-1)

    @torch.no_grad()
    def of(self, X: FloatArray) -> FloatArray:
        return np.asarray(self(torch.as_tensor(X)).numpy())


def loss(phi: Tensor, y: Tensor, mask: Tensor, log_a: Tensor, log_b: Tensor) -> Tensor:
    """Minus the log evidence of tasks phi (T, n, D), y (T, n), mask (T, n) with log a and log b (T,), summed; no constants."""
    phi = phi * mask[..., None]
    a, b = torch.exp(log_a), torch.exp(log_b)
    D, n = phi.shape[-1], mask.sum(-1)
    S = a[:, None, None] * torch.eye(D, dtype=phi.dtype) + b[:, None, None] * (phi.mT @ phi)
    L = torch.linalg.cholesky(S)
    projected = (phi.mT @ y[..., None])[..., 0] * b[:, None]
    z = torch.linalg.solve_triangular(L, projected[..., None], upper=False)[..., 0]
    log_det = torch.log(torch.diagonal(L, dim1=-2, dim2=-1)).sum(-1)
    evidence = 0.5 * (D * log_a + n * log_b - b * y.square().sum(-1) + z.square().sum(-1)) - log_det
    total: Tensor = -evidence.sum()
    return total


class Ablr(SharedSurrogate):
    """Shared neural features and a Bayesian linear regression of the target on them.

    Args:
        features, options: As for `SharedSurrogate`.
        iterations: L-BFGS steps over the source tasks.
    """

    def __init__(
        self,
        features: Features,
        *,
        points: int = 50,
        standardise: str = "anchored",
        seed: int = 0,
        iterations: int = 150,
    ) -> None:
        super().__init__(features, points=points, standardise=standardise, seed=seed)
        self.iterations = iterations

    def _learn(self) -> None:
        X, y, mask = (torch.as_tensor(a) for a in padded(self.sources))
        with one_torch_thread():
            self._network = Network(X.shape[-1], self.seed)
            log_a = nn.Parameter(torch.full((len(X),), A_MEAN, dtype=torch.double))
            log_b = nn.Parameter(torch.full((len(X),), B_MEAN, dtype=torch.double))
            weights = list(self._network.parameters())
            lbfgs = torch.optim.LBFGS(
                [*weights, log_a, log_b], max_iter=self.iterations, history_size=10, line_search_fn="strong_wolfe"
            )

            def closure() -> Tensor:
                lbfgs.zero_grad()
                total = loss(self._network(X), y, mask, log_a, log_b)
                total = total + ((log_a - A_MEAN).square().sum() + (log_b - B_MEAN).square().sum()) / (2.0 * SD**2)
                total = total + DECAY * sum(w.square().sum() for w in weights) * len(X)
                mean = total / mask.sum()
                mean.backward()  # type: ignore[no-untyped-call]
                return mean

            lbfgs.step(closure)  # type: ignore[no-untyped-call]
        self._start = np.array([log_a.detach().median().item(), log_b.detach().median().item()])

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        with one_torch_thread():
            Phi = self._network.of(X)

        def negative(p: FloatArray) -> float:
            prior = 0.5 * (((p - self._start) / SD) ** 2).sum()
            return float(prior) - LinearPosterior(Phi, y, math.exp(p[0]), math.exp(p[1])).evidence

        start = np.clip(self._start, *np.array(BOUNDS).T)
        found = minimize(negative, start, method="L-BFGS-B", bounds=BOUNDS, options={"maxiter": 20})
        a, b = np.exp(found.x if np.isfinite(found.fun) else start)
        return _OnFeatures(self._network, LinearPosterior(Phi, y, float(a), float(b)))


class _OnFeatures:
    def __init__(self, network: Network, own: LinearPosterior) -> None:
        self.network, self.own = network, own

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        with one_torch_thread():
            return self.own.predict(self.network.of(X))
