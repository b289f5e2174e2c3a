"""The intrinsic coregionalization model: one exact Gaussian process over all tasks, by BoTorch's `MultiTaskGP`.

Bonilla, Chai, Williams, "Multi-task Gaussian process prediction" (NeurIPS 2007); in Bayesian optimization Swersky, Snoek,
Adams, "Multi-task Bayesian optimization" (NeurIPS 2013). Exact over T tasks of N points: T³ N³ time a step, T² N² memory: it is
meant for some twenty tasks.

Difference from the papers: the hyperparameters of the sources (lengthscales, noise, covariances of the source tasks) are learnt
once and then kept; at each step of the search only the target's row of the task covariance and its mean are, by the marginal
likelihood of all data. To learn all anew at each step would multiply the seconds of the source fit by the number of steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models.multitask import MultiTaskGP
from botorch.models.utils.gpytorch_modules import get_gaussian_likelihood_with_lognormal_prior
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from boltbo.problem import FloatArray
from boltbo.system.threads import one_torch_thread
from boltbo_bench.transfer.features import Features
from boltbo_bench.transfer.shared import SharedSurrogate, Target

TARGET_STEPS = 15
"""L-BFGS steps of the target's row, at each step of the search"""


class Coregionalized:
    """A new task beside the sources.

    Args:
        X, t, y: Data of the sources and, as the last task, of the target: (n, d), (n,), (n,).
        tasks: Number of source tasks.
        learnt: Parameters of the process of the sources alone.
        rank: Rank of the task covariance.
    """

    def __init__(
        self, X: FloatArray, t: FloatArray, y: FloatArray, tasks: int, learnt: dict[str, Tensor], rank: int
    ) -> None:
        self.tasks = tasks
        self.model = _process(X, t, y, tasks + 1, rank)
        rows = _adopt(self.model, learnt)
        hooks = [
            parameter.register_hook(  # type: ignore[no-untyped-call]
                lambda gradient, kept=kept: _last_rows(gradient, kept)
            )
            for parameter, kept in rows
        ]
        _maximize(self.model, TARGET_STEPS)
        for hook in hooks:
            hook.remove()

    def predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """See `shared.Target`."""
        with one_torch_thread(), torch.no_grad(), _quiet():
            target = np.full((len(X), 1), float(self.tasks))
            latent = self.model(torch.from_numpy(np.hstack([X, target])))
            return latent.mean.numpy(), latent.variance.clamp_min(0.0).numpy()


class Icm(SharedSurrogate):
    """The coregionalized process over all source tasks and the target.

    Args:
        features, shared: As for `SharedSurrogate`.
        rank: Rank of the task covariance.
        iterations: L-BFGS steps of the source fit.
    """

    def __init__(self, features: Features, *, rank: int = 2, iterations: int = 25, **shared: Any) -> None:
        super().__init__(features, **shared)
        if rank < 1 or iterations < 0:
            raise ValueError(f"rank must be at least 1 and iterations at least 0, got {rank} and {iterations}")
        self.rank, self.iterations = rank, iterations

    def _learn(self) -> None:
        self._X, self._y = np.vstack([s.X for s in self.sources]), np.concatenate([s.y for s in self.sources])
        self._t = np.repeat(np.arange(len(self.sources), dtype=float), [len(s.y) for s in self.sources])
        self._rank = min(self.rank, len(self.sources))  # more says nothing of so few tasks
        with _seeded(self.seed):
            model = _process(self._X, self._t, self._y, len(self.sources), self._rank)
            _maximize(model, self.iterations)
        self._learnt = {name: value.detach().clone() for name, value in model.named_parameters()}

    def _target(self, X: FloatArray, y: FloatArray) -> Target:
        T = len(self.sources)
        t = np.append(self._t, np.full(len(y), float(T)))
        with _seeded(self.seed):
            return Coregionalized(np.vstack([self._X, X]), t, np.append(self._y, y), T, self._learnt, self._rank)


def _process(X: FloatArray, t: FloatArray, y: FloatArray, tasks: int, rank: int) -> MultiTaskGP:
    with _quiet():
        return MultiTaskGP(
            torch.from_numpy(np.column_stack([X, t])),
            torch.from_numpy(y)[:, None],
            task_feature=-1,
            rank=rank,
            all_tasks=list(range(tasks)),
            output_tasks=[tasks - 1],
            likelihood=get_gaussian_likelihood_with_lognormal_prior(),
            outcome_transform=None,
        )


def _adopt(model: MultiTaskGP, learnt: dict[str, Tensor]) -> list[tuple[torch.nn.Parameter, int]]:
    """Give a process of one more task what was learnt of the sources; the target begins as the mean of their rows.

    Returns:
        The parameters that have rows by task, each with how many of its rows stay as they were learnt.
    """
    rows = []
    for name, parameter in model.named_parameters():
        if name not in learnt:  # the target's mean
            continue
        old = learnt[name]
        if parameter.shape == old.shape:
            parameter.data.copy_(old)
            parameter.requires_grad_(False)
        else:
            parameter.data.copy_(torch.cat([old, old.mean(0, keepdim=True)]))
            rows.append((parameter, len(old)))
    return rows


def _last_rows(gradient: Tensor, kept: int) -> Tensor:
    """The gradient of the rows after the first `kept` ones."""
    return torch.cat([torch.zeros_like(gradient[:kept]), gradient[kept:]])


def _maximize(model: MultiTaskGP, steps: int) -> None:
    """Fit the free parameters by their marginal likelihood, on one thread: the result is the same on any number of cores."""
    if steps:
        with one_torch_thread(), _quiet():
            mll = ExactMarginalLogLikelihood(model.likelihood, model)
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": steps}}, max_attempts=1)
    model.eval()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """A fit that stops at its last step is no news."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
