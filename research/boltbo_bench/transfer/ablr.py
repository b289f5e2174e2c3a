"""Adaptive Bayesian linear regression: features that all tasks share, a linear model with uncertainty for each.

Perrone, Jenatton, Seeger, Archambeau, "Scalable hyperparameter transfer learning" (NeurIPS 2018). The network and each task's
two precisions maximise the sum of the tasks' log marginal likelihoods, by L-BFGS on all tasks at once: linear in the number
of tasks, and in the points of each.

The target is learnt along, as in the paper: at each step of its search all tasks go on together from what the sources taught,
`together` steps of L-BFGS (the paper: until it converges), then the target's two precisions until they converge. So an ask is
linear in the number of tasks too. Other differences from the paper: a constant stands beside the network's 50 features, weights
decay, log precisions have wide priors, and L-BFGS stops early: converged on few tasks, the features fit them and no others.

Notation:
    Phi         features of a task's points, shape (n, D), D = 51
    a, b        precisions of the weights' prior and of the noise, one of each a task
    S           a I + b Phiᵀ Phi; the weights given y are N(b S⁻¹ Phiᵀ y, S⁻¹)
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack
from scipy.optimize import minimize
from torch import Tensor, nn

from boltbo.problem import FloatArray, Task
from boltbo.system.threads import one_torch_thread
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.shared import SharedSurrogate, Target
from boltbo_bench.transfer.sources import Source, padded

HIDDEN = 50
DECAY = 1e-2
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
        features, shared: As for `SharedSurrogate`.
        iterations: L-BFGS steps over the source tasks.
        together: L-BFGS steps over source tasks and target at each step of a search; 0: the features stay as they are.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(self, features: Features, *, iterations: int = 60, together: int = 5, **shared: Any) -> None:
        super().__init__(features, **shared)
        if iterations < 0 or together < 0:
            raise ValueError(f"iterations and together must be at least 0, got {iterations} and {together}")
        self.iterations, self.together = iterations, together

    def _learn(self) -> None:
        self._data = tuple(torch.as_tensor(a) for a in padded(self.sources))
        T = len(self.sources)
        with one_torch_thread():
            self._network = Network(self._data[0].shape[-1], self.seed)
            self._log_a, self._log_b = (torch.full((T,), mean, dtype=torch.double) for mean in (A_MEAN, B_MEAN))
            if self.iterations:
                self._log_a, self._log_b = learn(self._network, self._data, self._log_a, self._log_b, self.iterations)

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        network, start = self._network, np.array([self._log_a.median().item(), self._log_b.median().item()])
        with one_torch_thread():
            if self.together:
                network = copy.deepcopy(network)
                data = tuple(torch.as_tensor(a) for a in padded([*self.sources, Source(Task("", ""), X, y)]))
                a, b = (torch.cat([p, p.median()[None]]) for p in (self._log_a, self._log_b))
                a, b = learn(network, data, a, b, self.together)
                start = np.array([a[-1].item(), b[-1].item()])
            Phi = network.of(X)

        def negative(p: FloatArray) -> float:
            prior = 0.5 * (((p - np.array([A_MEAN, B_MEAN])) / SD) ** 2).sum()
            return float(prior) - LinearPosterior(Phi, y, math.exp(p[0]), math.exp(p[1])).evidence

        start = np.clip(start, *np.array(BOUNDS).T)
        found = minimize(negative, start, method="L-BFGS-B", bounds=BOUNDS, options={"maxiter": 20})
        a_own, b_own = np.exp(found.x if np.isfinite(found.fun) else start)
        return _OnFeatures(network, LinearPosterior(Phi, y, float(a_own), float(b_own)))


def learn(
    network: Network, data: tuple[Tensor, ...], log_a: Tensor, log_b: Tensor, iterations: int
) -> tuple[Tensor, Tensor]:
    """L-BFGS steps of the network, in place, and of the precisions, which are returned.

    Args:
        network: Goes on from its weights.
        data: X (T, n, F), y (T, n), mask (T, n).
        log_a, log_b: Where to start, shapes (T,).
        iterations: Steps.
    """
    X, y, mask = data
    log_a, log_b = nn.Parameter(log_a.clone()), nn.Parameter(log_b.clone())
    weights = list(network.parameters())
    lbfgs = torch.optim.LBFGS(
        [*weights, log_a, log_b], max_iter=iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        lbfgs.zero_grad()
        total = loss(network(X), y, mask, log_a, log_b)
        total = total + ((log_a - A_MEAN).square().sum() + (log_b - B_MEAN).square().sum()) / (2.0 * SD**2)
        total = total + DECAY * sum(w.square().sum() for w in weights) * len(X)
        mean = total / mask.sum()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean

    lbfgs.step(closure)  # type: ignore[no-untyped-call]
    return log_a.detach(), log_b.detach()


class _OnFeatures:
    def __init__(self, network: Network, own: LinearPosterior) -> None:
        self.network, self.own = network, own

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        with one_torch_thread():
            return self.own.predict(self.network.of(X))
