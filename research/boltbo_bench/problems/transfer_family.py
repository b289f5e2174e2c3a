"""A family of rotated Ackley functions whose optima lie near a surface of two dimensions: the tasks of `transfer_scaling.py`.

Task i has the value offset_i + scale_i ackley(15 R (x - s_i)) at x in [0, 1]^d, R one rotation for all tasks, s_i = 1/2 +
3/10 tanh(A z_i) + noise of 0.02, z_i normal in two dimensions. So one task says where the next one's optimum may be, never
where it is, and scales say nothing. A source's run is a Latin hypercube of ten points and 40 calls of evolutionary local
search.
"""

from __future__ import annotations

import numpy as np

from boltbo.optimizers import make_optimizer
from boltbo.problem import FloatArray, Observation, Status, Task, Trajectory
from boltbo_bench.problems.box import Numbers
from boltbo_bench.transfer.cost import search

INITIAL, SOURCE_CALLS = 10, 40


class Family:
    """Tasks 0, 1, … of one seed."""

    def __init__(self, dim: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.dim, self.seed, self.space = dim, seed, Numbers(dim)
        self.R = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        self.A = rng.standard_normal((dim, 2))

    def task(self, i: int) -> Task:
        rng = np.random.default_rng([self.seed, 1, i])
        optimum = 0.5 + 0.3 * np.tanh(self.A @ rng.standard_normal(2)) + 0.02 * rng.standard_normal(self.dim)
        data = {"optimum": optimum.tolist(), "scale": float(10 ** rng.uniform(-1, 2)), "offset": float(rng.normal())}
        return Task(f"task {i}", f"ackley {i}", data)

    def regret(self, task: Task, candidate: str) -> float:
        """Ackley's value: 0 at the optimum, about 15 far away."""
        Z = 15.0 * self.R @ (self.space.encode(candidate) - np.array(task.data["optimum"]))
        root, cosine = np.sqrt((Z * Z).mean()), np.cos(2 * np.pi * Z).mean()
        return float(20.0 - 20.0 * np.exp(-0.2 * root) + np.e - np.exp(cosine))

    def score(self, task: Task, candidate: str) -> Observation:
        value = task.data["offset"] + task.data["scale"] * self.regret(task, candidate)
        return Observation(candidate, value, Status.COMPLETE, 0.0, "bo")

    def initial(self, i: int) -> list[Observation]:
        """The ten points that every search of task i starts from."""
        rng = np.random.default_rng([self.seed, 2, i])
        strata = np.array([rng.permutation(INITIAL) for _ in range(self.dim)]).T
        points: FloatArray = (strata + rng.random(strata.shape)) / INITIAL
        return [self.score(self.task(i), c) for c in self.space.decode(points)]

    def source(self, i: int) -> Trajectory:
        task = self.task(i)
        optimizer = make_optimizer("local", self.space, seed=i)
        found = search(optimizer, self.initial(i), SOURCE_CALLS, lambda c: self.score(task, c))
        return Trajectory(task, found.observations)
