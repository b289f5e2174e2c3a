"""Optimizers under one door: `ask(q) -> X (q, d)` and `tell(X, Y)`, boltbo's and its neighbours'.

Each neighbour is set up as its own documentation does.

All minimise over [0, 1]^d. Where a problem's coordinates are cut into `levels`, Optuna and SMAC get integers, the others the
box.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any, Protocol

import numpy as np

from boltbo.optimizers import make_optimizer
from boltbo.problem import FloatArray, Observation, Status
from boltbo.spaces import Slots
from boltbo_bench.problems.box import Numbers
from boltbo_bench.problems.problems import Problem


class Peer(Protocol):
    def tell(self, X: FloatArray, Y: FloatArray) -> None: ...
    def ask(self, q: int) -> FloatArray: ...


class Boltbo:
    def __init__(self, problem: Problem, seed: int, name: str, **options: Any) -> None:
        levels = problem.levels
        self.space = Numbers(problem.dim) if levels is None else Slots([[str(i) for i in range(levels)]] * problem.dim)
        self.optimizer = make_optimizer(name, self.space, seed=seed, **options)

    def tell(self, X: FloatArray, Y: FloatArray) -> None:
        texts = self.space.decode(X)
        self.optimizer.tell(
            [Observation(t, float(y), Status.COMPLETE, 0.0, "bo") for t, y in zip(texts, Y, strict=True)]
        )

    def ask(self, q: int) -> FloatArray:
        return np.array([self.space.encode(t) for t in self.optimizer.ask(q)])


class BotorchTurbo:
    """BoTorch's tutorial of TuRBO-1: Matérn-5/2 with bounded lengthscales, fitted anew in each step, Thompson sampling.

    Args:
        iterations: Of L-BFGS at most; None: until it converges, as in the tutorial.
    """

    def __init__(self, problem: Problem, seed: int, iterations: int | None = None) -> None:
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        self.d, self.iterations = problem.dim, iterations
        self.X, self.Y = torch.empty(0, problem.dim, dtype=torch.double), torch.empty(0, 1, dtype=torch.double)
        self.length, self.successes, self.failures = 0.8, 0, 0

    def tell(self, X: FloatArray, Y: FloatArray) -> None:
        import torch

        X_new, Y_new = torch.tensor(X), -torch.tensor(Y)[:, None]
        if len(self.X):
            better = bool(Y_new.max() > self.Y.max() + 1e-3 * self.Y.max().abs())
            self.successes, self.failures = (self.successes + 1, 0) if better else (0, self.failures + 1)
            if self.successes == 10:
                self.length, self.successes = min(2 * self.length, 1.6), 0
            elif self.failures == int(np.ceil(max(4 / len(X), self.d / len(X)))):
                self.length, self.failures = self.length / 2, 0
            if self.length < 0.5**7:
                self.length = 0.8
        self.X, self.Y = torch.cat([self.X, X_new]), torch.cat([self.Y, Y_new])

    def ask(self, q: int) -> FloatArray:
        import gpytorch
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.generation import MaxPosteriorSampling
        from botorch.models import SingleTaskGP
        from gpytorch.constraints import Interval
        from gpytorch.kernels import MaternKernel, ScaleKernel
        from gpytorch.likelihoods import GaussianLikelihood
        from gpytorch.mlls import ExactMarginalLogLikelihood

        Y = (self.Y - self.Y.mean()) / self.Y.std()
        kernel = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=self.d, lengthscale_constraint=Interval(0.005, 4.0)))
        model = SingleTaskGP(
            self.X, Y, covar_module=kernel, likelihood=GaussianLikelihood(noise_constraint=Interval(1e-8, 1e-3)),
            outcome_transform=None,
        )  # fmt: skip
        options = {"optimizer_kwargs": {"options": {"maxiter": self.iterations}}} if self.iterations else {}
        with gpytorch.settings.max_cholesky_size(float("inf")), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model), **options)
            centre = self.X[Y.argmax()].clone()
            weights = kernel.base_kernel.lengthscale.squeeze().detach()
            weights = weights / weights.mean()
            weights = weights / torch.prod(weights.pow(1.0 / self.d))
            low = torch.clamp(centre - weights * self.length / 2.0, 0.0, 1.0)
            high = torch.clamp(centre + weights * self.length / 2.0, 0.0, 1.0)
            n = min(5000, max(2000, 200 * self.d))
            drawn = low + (high - low) * torch.quasirandom.SobolEngine(self.d, scramble=True).draw(n).to(self.X)
            mask = torch.rand(n, self.d) <= min(20.0 / self.d, 1.0)
            alone = torch.where(mask.sum(dim=1) == 0)[0]
            mask[alone, torch.randint(0, self.d, size=(len(alone),))] = True
            points = torch.where(mask, drawn, centre)
            with torch.no_grad():
                X_new = MaxPosteriorSampling(model=model, replacement=False)(points, num_samples=q)
        return np.asarray(X_new.numpy())


class Optuna:
    """One of Optuna's samplers; a batch is asked trial by trial before any of its values is told."""

    def __init__(self, problem: Problem, seed: int, sampler: str) -> None:
        import optuna
        from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.simplefilter("ignore")
        made = {
            "gp": lambda: optuna.samplers.GPSampler(seed=seed, n_startup_trials=0, deterministic_objective=True),
            "tpe": lambda: optuna.samplers.TPESampler(
                seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
            ),
        }[sampler]()
        self.study, self.levels = optuna.create_study(sampler=made), problem.levels
        one: BaseDistribution = FloatDistribution(0, 1) if self.levels is None else IntDistribution(0, self.levels - 1)
        self.space = {f"x{i}": one for i in range(problem.dim)}
        self.pending: list[Any] = []

    def tell(self, X: FloatArray, Y: FloatArray) -> None:
        import optuna

        if self.pending:
            for trial, y in zip(self.pending, Y, strict=True):
                self.study.tell(trial, float(y))
            self.pending = []
            return
        for row, y in zip(X, Y, strict=True):
            values = row if self.levels is None else np.clip((row * self.levels).astype(int), 0, self.levels - 1)
            self.study.add_trial(
                optuna.create_trial(
                    params={k: v.item() for k, v in zip(self.space, values, strict=True)},
                    distributions=self.space,
                    value=float(y),
                )
            )

    def ask(self, q: int) -> FloatArray:
        self.pending = [self.study.ask(self.space) for _ in range(q)]
        X = np.array([[t.params[k] for k in self.space] for t in self.pending], dtype=float)
        return X if self.levels is None else (X + 0.5) / self.levels


class Smac:
    """SMAC3's facade for hyperparameters (random forest, log EI), its model trained once a batch."""

    def __init__(self, problem: Problem, seed: int, q: int = 10) -> None:
        from ConfigSpace import ConfigurationSpace, Float, Integer
        from smac import HyperparameterOptimizationFacade, Scenario

        logging.getLogger("smac").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        self.levels, self.d = problem.levels, problem.dim
        self.cs = ConfigurationSpace(seed=seed)
        for i in range(self.d):
            name = f"x{i:03d}"
            self.cs.add(Float(name, (0.0, 1.0)) if self.levels is None else Integer(name, (0, self.levels - 1)))
        import tempfile

        folder = tempfile.mkdtemp()
        scenario = Scenario(self.cs, deterministic=True, n_trials=10_000, seed=seed, output_directory=folder)
        self.facade = HyperparameterOptimizationFacade(
            scenario, lambda config, seed=0: 0.0,
            initial_design=HyperparameterOptimizationFacade.get_initial_design(scenario, n_configs=0),
            config_selector=HyperparameterOptimizationFacade.get_config_selector(scenario, retrain_after=q),
            logging_level=40, overwrite=True,
        )  # fmt: skip
        self.pending: list[Any] = []

    def tell(self, X: FloatArray, Y: FloatArray) -> None:
        from ConfigSpace import Configuration
        from smac.runhistory import TrialInfo, TrialValue

        if not self.pending:
            for row in X:
                values = row if self.levels is None else np.clip((row * self.levels).astype(int), 0, self.levels - 1)
                config = Configuration(self.cs, values={k: v.item() for k, v in zip(self.cs, values, strict=True)})
                self.pending.append(TrialInfo(config, seed=0))
        for info, y in zip(self.pending, Y, strict=True):
            self.facade.tell(info, TrialValue(cost=float(y)))
        self.pending = []

    def ask(self, q: int) -> FloatArray:
        self.pending = [self.facade.ask() for _ in range(q)]
        X = np.array([[info.config[k] for k in self.cs] for info in self.pending], dtype=float)
        return X if self.levels is None else (X + 0.5) / self.levels


PEERS: dict[str, Any] = {
    "boltbo turbo": lambda p, seed: Boltbo(p, seed, "turbo"),
    "boltbo local": lambda p, seed: Boltbo(p, seed, "local"),
    "random": lambda p, seed: Boltbo(p, seed, "random"),
    "optuna tpe": lambda p, seed: Optuna(p, seed, "tpe"),
    "botorch turbo, 10 L-BFGS iterations": lambda p, seed: BotorchTurbo(p, seed, iterations=10),
    "botorch turbo": BotorchTurbo,
    "optuna gp": lambda p, seed: Optuna(p, seed, "gp"),
    "smac": Smac,
}
