"""A family of bowls whose optima lie close together, and source runs on it: what a shared surrogate can learn from."""

from __future__ import annotations

import math

import numpy as np

from boltbo import Observation, Task, Trajectory
from boltbo.problem import Status


class Numbers:
    """Points of [0, 1]^dim written as numbers."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, candidate: str) -> np.ndarray:
        return np.array(candidate.split(), dtype=float)

    def decode(self, points: np.ndarray) -> list[str]:
        return [" ".join(f"{x:.6f}" for x in row) for row in points]


DIM = 6
SPACE = Numbers(DIM)
CENTRE = np.array([0.2, 0.8, 0.3, 0.7, 0.25, 0.65])


def task(i: int) -> Task:
    rng = np.random.default_rng([5, i])
    optimum = (CENTRE + 0.05 * rng.standard_normal(DIM)).tolist()
    return Task(f"t{i}", f"bowl number {i}", {"optimum": optimum, "scale": float(10 ** rng.uniform(-1, 2))})


def value(t: Task, candidate: str) -> float:
    """A bowl with ripples, in the task's own scale; 0 at its optimum."""
    z = SPACE.encode(candidate) - np.array(t.data["optimum"])
    ripples = 0.02 * float((1 - np.cos(25 * z)).sum())
    return t.data["scale"] * (math.sqrt(float(z @ z)) + ripples)


def observe(t: Task, candidate: str, status: Status = Status.COMPLETE) -> Observation:
    return Observation(candidate, value(t, candidate), status, 0.0, "bo")


def trajectory(i: int, n: int = 30) -> Trajectory:
    t = task(i)
    points = np.random.default_rng([6, i]).random((n, DIM))
    points[n // 2 :] = np.clip(CENTRE + 0.2 * (points[n // 2 :] - 0.5), 0, 1)
    return Trajectory(t, tuple(observe(t, c) for c in SPACE.decode(points)))


def sources(n: int) -> list[Trajectory]:
    return [trajectory(i) for i in range(n)]


def search(optimizer, t: Task, calls: int, seed: int) -> float:
    """The best value over the task's scale after 6 random first candidates and `calls` asked ones."""
    first = SPACE.decode(np.random.default_rng([8, seed]).random((6, DIM)))
    told = [observe(t, c) for c in first]
    optimizer.tell(told)
    for _ in range(calls):
        (candidate,) = optimizer.ask(1)
        told.append(observe(t, candidate))
        optimizer.tell(told[-1:])
    return min(o.value for o in told) / t.data["scale"]
