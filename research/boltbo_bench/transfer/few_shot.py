"""A Gaussian process on features that all tasks share: DKT and FSBO.

DKT: Patacchiola, Turner, Crowley, O'Boyle, Storkey, "Bayesian meta-learning for the few-shot setting via deep kernels" (NeurIPS
2020). FSBO: Wistuba & Grabocka, "Few-shot Bayesian optimization with deep kernel surrogates" (ICLR 2021). Network and kernel
parameters are learnt by Adam on the marginal likelihoods of single tasks, a few tasks a step; the number of steps grows with
that of tasks (`VISITS` of each), the cost of a step does not. DKT keeps what was learnt for the target; FSBO goes on from it
on the target's own data, anew at each step of the search.

Differences from the papers: values are standardised by task instead of FSBO's random rescaling of labels; no evolutionary
warm start, as every method here is given the same initial data; two hidden layers of 64; Matérn-5/2 with one lengthscale on 16
features, and a constant mean that is integrated out.

Notation:
    phi         the network, (…, n, F) -> (…, n, 16)
    k           s (1 + √5 r + 5/3 r²) exp(-√5 r) + c, r the distance of features over l: `optimizers.gp`'s
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from boltbo.optimizers.surrogates import gp, hyperparameters
from boltbo.problem import FloatArray
from boltbo.system.threads import one_torch_thread
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.shared import SharedSurrogate, Target
from boltbo_bench.transfer.sources import padded

HIDDEN, OUT = 64, 16
TASKS_A_STEP, VISITS, LEAST_STEPS = 8, 100, 150
RATE, FINE_RATE, DECAY = 3e-3, 1e-3, 1e-4
NOISE_FLOOR = 1e-4


class DeepProcess(nn.Module):
    """phi, l, s and sigma² of dimension F; weights drawn from `seed`."""

    def __init__(self, dim: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            layers = [nn.Linear(dim, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, OUT)]
            self.network = nn.Sequential(*layers).double()
        self.log_length = nn.Parameter(torch.zeros((), dtype=torch.double))
        self.log_signal = nn.Parameter(torch.zeros((), dtype=torch.double))
        self.log_noise = nn.Parameter(torch.tensor(hyperparameters.NOISE_MEAN, dtype=torch.double))

    def features(self, X: Tensor) -> Tensor:
        """phi over l, (…, n, 16); the variance of a uniform coordinate of X becomes 1 first."""
        phi: Tensor = self.network((X - 0.5) * math.sqrt(12.0))
        return phi * torch.exp(-self.log_length)

    def noise(self) -> Tensor:
        return torch.exp(self.log_noise) + NOISE_FLOOR

    def loss(self, X: Tensor, y: Tensor, mask: Tensor) -> Tensor:
        """Minus the mean log marginal likelihood of an observation, of tasks X (B, n, F), y (B, n), mask (B, n).

        Rows beyond a task's data have covariance 0 with all others and variance 1, and a target of 0.
        """
        phi = self.features(X)
        squares = (phi[..., :, None, :] - phi[..., None, :, :]).square().sum(-1)
        r = (5.0 * squares + 1e-12).sqrt()
        K = torch.exp(self.log_signal) * (1.0 + r + r * r / 3.0) * torch.exp(-r) + gp.MEAN_VARIANCE
        pairs = mask[..., :, None] * mask[..., None, :]
        K = K * pairs + torch.diag_embed(mask * self.noise() + (1.0 - mask))
        L = torch.linalg.cholesky(K)
        z = torch.linalg.solve_triangular(L, y[..., None], upper=False)[..., 0]
        fit = 0.5 * z.square().sum() + torch.log(torch.diagonal(L, dim1=-2, dim2=-1)).sum()
        mean: Tensor = fit / mask.sum()
        return mean

    def posterior(self, X: FloatArray, y: FloatArray) -> DeepPosterior:
        return DeepPosterior(self, X, y)


class DeepPosterior:
    """The exact process on the features as they are, given X (n, F) and y (n,)."""

    def __init__(self, model: DeepProcess, X: FloatArray, y: FloatArray) -> None:
        self.model = model
        scales = [model.log_signal.item(), math.log(model.noise().item())]
        self._posterior = gp.Posterior(np.array([0.0] * OUT + scales), self._features(X), y)

    @torch.no_grad()
    def _features(self, X: FloatArray) -> FloatArray:
        return np.asarray(self.model.features(torch.as_tensor(X)).numpy())

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        with one_torch_thread():
            return self._posterior.marginals(self._features(X))


class Dkt(SharedSurrogate):
    """A deep kernel learnt over the source tasks and kept for the target.

    Args:
        features, shared: As for `SharedSurrogate`.
        steps: Of Adam over the source tasks; None: `VISITS` visits of each task, at least `LEAST_STEPS`.
    """

    fine_steps = 0

    def __init__(self, features: Features, *, steps: int | None = None, **shared: Any) -> None:
        super().__init__(features, **shared)
        self.steps = steps

    def _learn(self) -> None:
        X, y, mask = (torch.as_tensor(a) for a in padded(self.sources))
        T, rng = len(X), np.random.default_rng(self.seed)
        steps = max(LEAST_STEPS, VISITS * T // TASKS_A_STEP) if self.steps is None else self.steps
        with one_torch_thread():
            self._model = DeepProcess(X.shape[-1], self.seed)
            adam = torch.optim.AdamW(self._model.parameters(), lr=RATE, weight_decay=DECAY)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(1, steps))
            for _ in range(steps):
                some = torch.as_tensor(rng.choice(T, min(T, TASKS_A_STEP), replace=False))
                adam.zero_grad()
                self._model.loss(X[some], y[some], mask[some]).backward()  # type: ignore[no-untyped-call]
                adam.step()
                schedule.step()

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        model = self._model
        if self.fine_steps:
            model = copy.deepcopy(model)
            with one_torch_thread():
                self._go_on(model, torch.as_tensor(X)[None], torch.as_tensor(y)[None])
        return model.posterior(X, y)

    def _go_on(self, model: DeepProcess, X: Tensor, y: Tensor) -> None:
        adam = torch.optim.Adam(model.parameters(), lr=FINE_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, self.fine_steps)
        for _ in range(self.fine_steps):
            adam.zero_grad()
            model.loss(X, y, torch.ones_like(y)).backward()  # type: ignore[no-untyped-call]
            adam.step()
            schedule.step()


class Fsbo(Dkt):
    """A deep kernel learnt over the source tasks and fine-tuned on the target's data at each step of its search.

    Args:
        features, shared: As for `Dkt`.
        fine_steps: Of Adam on the target's data, with a cosine schedule as in the paper.
    """

    def __init__(self, features: Features, *, fine_steps: int = 20, **shared: Any) -> None:
        super().__init__(features, **shared)
        if fine_steps < 1:
            raise ValueError(f"fine_steps must be at least 1, got {fine_steps}")
        self.fine_steps = fine_steps
