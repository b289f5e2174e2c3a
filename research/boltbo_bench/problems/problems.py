"""Functions to minimise over [0, 1]^d, known and recorded, with the points that every method starts from.

Ackley with its minimum off the centre; a rover's path in the manner of Wang et al. (AISTATS 2018), 30 control points among
obstacles; a peptide of 20 residues under the shipped oracle; recorded plans of CEB queries, where a point stands for the
nearest recorded plan. `levels` says where coordinates are cut into choices: methods that know integers get them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import BSpline

from boltbo.problem import FloatArray

RECORDED = Path(__file__).parents[3] / "tests" / "data" / "plan_landscapes.npz"
PLANS = ("2b", "6a", "9a")
"""Templates of the recorded queries that are used, one query each"""

RESIDUES = "RKNDEQHPYWSTGAMCFLVI"
"""By hydropathy (Kyte & Doolittle, 1982): neighbours are alike"""


@dataclass(frozen=True)
class Problem:
    """A function of points X (n, d), the budget, and the least value known to be there (for the regret)."""

    dim: int
    f: Callable[[FloatArray], FloatArray]
    least: float
    start: Callable[[int], FloatArray]
    calls: int
    levels: int | None = None


def names() -> list[str]:
    return ["ackley-20", "ackley-64", "rover-60", "peptide-20", *(f"plans-{t}" for t in PLANS)]


@cache
def problem(name: str) -> Problem:
    kind, _, rest = name.partition("-")
    if kind == "ackley":
        d = int(rest)
        return Problem(d, ackley, 0.0, scattered(d, 20), 200 if d <= 20 else 120)
    if kind == "rover":
        return Problem(60, rover, 0.0, scattered(60, 20), 120)
    if kind == "peptide":
        return peptide(int(rest))
    return plans(rest)


def scattered(d: int, n: int) -> Callable[[int], FloatArray]:
    """A Latin hypercube for each seed."""

    def start(seed: int) -> FloatArray:
        rng = np.random.default_rng([seed, d])
        strata = np.array([rng.permutation(n) for _ in range(d)]).T
        return np.asarray((strata + rng.random((n, d))) / n)

    return start


def ackley(X: FloatArray) -> FloatArray:
    """On [-5, 10]^d, as in the paper of TuRBO."""
    Z = 15.0 * X - 5.0
    root, cosine = np.sqrt((Z * Z).mean(axis=1)), np.cos(2 * np.pi * Z).mean(axis=1)
    return np.asarray(20.0 - 20.0 * np.exp(-0.2 * root) + np.e - np.exp(cosine))


def rover(X: FloatArray) -> FloatArray:
    """A cubic B-spline of 30 control points from (0.05, 0.05) to (0.95, 0.95) among 15 round obstacles.

    The integral along the path of 0.05 + 20 within obstacles, and 10 times the distances of its ends from where they should be.
    """
    obstacles = np.random.default_rng(7).uniform(0.1, 0.9, size=(15, 2))
    k, n = 3, X.shape[1] // 2
    knots = np.concatenate([np.zeros(k), np.linspace(0, 1, n - k + 1), np.ones(k)])
    at = np.linspace(0, 1, 500)
    basis = BSpline.design_matrix(at, knots, k).toarray()
    values = []
    for row in X:
        path = basis @ row.reshape(n, 2)
        inside = (np.linalg.norm(path[:, None] - obstacles, axis=-1) < 0.07).any(axis=1)
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        cost = 0.05 + 20.0 * inside
        ends = np.abs(path[0] - 0.05).sum() + np.abs(path[-1] - 0.95).sum()
        values.append((0.5 * (cost[1:] + cost[:-1]) * steps).sum() + 10.0 * ends)
    return np.array(values)


def peptide(length: int) -> Problem:
    """Mean log10 MIC over all species; the start: random peptides."""
    from boltbo.domains.peptides.oracle import load_predictor

    predictor = load_predictor("shipped")

    def f(X: FloatArray) -> FloatArray:
        places = np.clip((X * len(RESIDUES)).astype(int), 0, len(RESIDUES) - 1)
        mean, _ = predictor.predict(["".join(RESIDUES[j] for j in row) for row in places])
        return np.asarray(mean.mean(axis=1))

    return Problem(length, f, 0.0, scattered(length, 20), 200, levels=len(RESIDUES))


def plans(template: str) -> Problem:
    """The first recorded query of a template: log10 of seconds over its best plan's; what was stopped counts as stopped."""
    with np.load(RECORDED) as recorded:
        query = min(q for q in json.loads(str(recorded["about"])) if q.startswith(template))
        points, seconds = recorded[f"{query}/X"].astype(float), recorded[f"{query}/values"].astype(float)
    values, square = np.log10(seconds / seconds.min()), (points * points).sum(axis=1)

    def f(X: FloatArray) -> FloatArray:
        return np.asarray(values[(square - 2.0 * X @ points.T).argmin(axis=1)])

    def start(seed: int) -> FloatArray:
        worse = np.flatnonzero(values > np.quantile(values, 0.3))  # the best are to be found
        return np.asarray(points[np.random.default_rng([seed, 3]).choice(worse, 10, replace=False)])

    return Problem(points.shape[1], f, 0.0, start, 70)
