"""BoTorch: boltbo as a generator of candidate points, and its proposals as initial conditions of a BoTorch loop.

Notation, BoTorch's own:

    X       points in the given bounds, a double tensor of shape (n, d); each stands for one candidate of the space
    Y       objectives, shape (n, 1) or (n,). BoTorch maximizes, boltbo minimizes: Y = -value, here and nowhere else
    q       how many points at a time
    bounds  shape (2, d): the least and the greatest value of each coordinate; default: the box [0, 1]^d of the space

Every point that is handed out is the one to which `SearchSpace.encode` takes its candidate, moved into the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from botorch.acquisition.acquisition import AcquisitionFunction
from botorch.generation.gen import gen_candidates_scipy
from botorch.utils.sampling import draw_sobol_samples
from botorch.utils.transforms import normalize, unnormalize
from torch import Tensor

from boltbo.domain import SearchSpace
from boltbo.optimizers import Optimizer, make_optimizer
from boltbo.problem import Observation, Status, Task
from boltbo.proposers import Proposer


class BoltboGenerator:
    """A boltbo optimizer behind BoTorch's tensors: `X = generator.ask(q)`, then `generator.tell(X, Y)`.

    It is callable (`generator(q)` is `generator.ask(q)`), and its `gen_candidates` may be given to
    `botorch.optim.optimize_acqf`, which then ends at points that stand for candidates.

    Args:
        space: Candidates as points of a box.
        optimizer: A built-in optimizer's name, or an optimizer over the same space.
        bounds: Shape (2, d).
        seed: Seed of a built-in optimizer.
        options: Options of a built-in optimizer.

    Raises:
        ValueError: The bounds have another shape than (2, d), or a least value is not below the greatest.
    """

    def __init__(
        self,
        space: SearchSpace,
        optimizer: str | Optimizer = "turbo",
        bounds: Tensor | None = None,
        *,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.space = space
        self.bounds = _bounds(space, bounds)
        self.optimizer = (
            make_optimizer(optimizer, space, seed=seed, **(options or {})) if isinstance(optimizer, str) else optimizer
        )

    def ask(self, q: int) -> Tensor:
        """Points of up to `q` new candidates, shape (q, d); fewer only if the space seems exhausted."""
        return _points(self.space, self.optimizer.ask(q), self.bounds)

    __call__ = ask

    def tell(self, X: Tensor, Y: Tensor) -> None:
        """Learn from objectives to be maximized; a Y that is not finite is a failed evaluation.

        Args:
            X: Shape (n, d), from `ask` or from elsewhere in the bounds.
            Y: Shape (n, 1) or (n,).

        Raises:
            ValueError: X or Y has another shape.
        """
        candidates = self.candidates(X)
        if Y.shape not in ((len(candidates), 1), (len(candidates),)):
            raise ValueError(f"Y must have the shape ({len(candidates)}, 1) of one objective, got {tuple(Y.shape)}")
        values = -Y.detach().double().cpu().numpy().reshape(-1)
        self.optimizer.tell([_observation(c, float(v)) for c, v in zip(candidates, values, strict=True)])

    def candidates(self, X: Tensor) -> list[str]:
        """The candidate of each row of X, shape (n, d).

        Raises:
            ValueError: X has another shape.
        """
        return _candidates(self.space, X, self.bounds)

    def gen_candidates(
        self, initial_conditions: Tensor, acquisition_function: AcquisitionFunction, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """`gen_candidates_scipy`, whose results are then moved to the nearest points that stand for candidates.

        Args:
            initial_conditions: Shape (b, q, d).
            acquisition_function: What is maximized.
            args: Further arguments of `gen_candidates_scipy`.
            kwargs: Further keyword arguments of `gen_candidates_scipy`.

        Returns:
            Points, shape (b, q, d), and their acquisition values, shape (b,).
        """
        optimized, _ = gen_candidates_scipy(initial_conditions, acquisition_function, *args, **kwargs)
        flat = optimized.reshape(-1, optimized.shape[-1])
        X = _points(self.space, self.candidates(flat), self.bounds).to(optimized).reshape(optimized.shape)
        with torch.no_grad():
            return X, acquisition_function(X)


def initial_conditions(
    proposer: Proposer, task: Task, space: SearchSpace, n: int, bounds: Tensor | None = None, *, seed: int = 0
) -> Tensor:
    """The points that a BoTorch loop on one task starts from: the proposer's candidates in its order, shape (n, d).

    A proposer with fewer than `n` candidates is helped out by those of Sobol points. Candidates that the box cannot say
    come out as their nearest; `space.decode` tells which they are.

    Raises:
        ValueError: The bounds are wrong, see `BoltboGenerator`.
    """
    where = _bounds(space, bounds)
    [proposals] = proposer.propose([task], n, seed)
    texts = [candidate for candidate, _ in proposals][:n]
    if len(texts) < n:
        box = torch.stack([torch.zeros(space.dim), torch.ones(space.dim)]).double()
        more = draw_sobol_samples(box, n=4 * n, q=1, seed=seed).squeeze(1)
        fresh = [c for c in dict.fromkeys(space.decode(more.numpy())) if c not in texts]
        texts += (fresh + space.decode(more.numpy()))[: n - len(texts)]  # a small space has not n that differ
    return _points(space, texts, where)


def _points(space: SearchSpace, candidates: list[str], bounds: Tensor) -> Tensor:
    rows = [space.encode(c) for c in candidates]
    return unnormalize(torch.from_numpy(np.array(rows, dtype=float).reshape(len(rows), space.dim)), bounds)


def _candidates(space: SearchSpace, X: Tensor, bounds: Tensor) -> list[str]:
    if X.ndim != 2 or X.shape[1] != space.dim:
        raise ValueError(f"X must have the shape (n, {space.dim}), got {tuple(X.shape)}")
    unit = normalize(X.detach().double().cpu(), bounds).clamp(0.0, 1.0)
    return space.decode(unit.numpy())


def _bounds(space: SearchSpace, bounds: Tensor | None) -> Tensor:
    if bounds is None:
        return torch.stack([torch.zeros(space.dim), torch.ones(space.dim)]).double()
    if bounds.shape != (2, space.dim) or not bool((bounds[0] < bounds[1]).all()):
        raise ValueError(f"bounds must have the shape (2, {space.dim}), the first row below the second, got {bounds}")
    return bounds.detach().double().cpu()


def _observation(candidate: str, value: float) -> Observation:
    if not np.isfinite(value):
        return Observation(candidate, np.nan, Status.FAILED, 0.0, "bo")
    return Observation(candidate, value, Status.COMPLETE, 0.0, "bo")
