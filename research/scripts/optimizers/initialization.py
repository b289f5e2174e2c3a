"""What a search makes of many strong, similar starting points, as a language model gives them.

    python research/scripts/optimizers/initialization.py --out research/results/initialization.json      some minutes

A long search from elsewhere finds a solution; the samples are copies of it in which each coordinate was moved with a chance of
0.3: good, alike, and none the best. From 20 of them `turbo` goes on for 60 calls, batches of 5, in each arm: as they come; with
a few of them replaced by plain (random) points; with a smaller first region; without priors on the hyperparameters. Beside
them, the same search from 20 plain points. Values less the least known one, over those of the samples as they come: geometric
mean over problems and seeds, 95% bootstrap interval.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before NumPy is loaded

import numpy as np

from boltbo.optimizers.surrogates import hyperparameters
from boltbo.problem import FloatArray
from boltbo.system.files import write_whole
from boltbo_bench.problems.peers import Boltbo
from boltbo_bench.problems.problems import Problem, problem
from boltbo_bench.recorded import commit, interval

PROBLEMS = ("ackley-20", "rover-60", "peptide-20", "plans-2b", "plans-9a")
SAMPLES, CALLS, BATCH = 20, 60, 5
DONOR_CALLS = 150
LEAST = {"peptide-20": -1.0}
"""A value below all that was seen, where it is not 0"""

ARMS: dict[str, dict[str, Any]] = {
    "samples": {},
    "samples, 2 plain": {"plain": 2},
    "samples, 4 plain": {"plain": 4},
    "samples, 10 plain": {"plain": 10},
    "samples, first length 0.4": {"length": (0.4, 0.5**7, 1.6)},
    "samples, first length 0.2": {"length": (0.2, 0.5**7, 1.6)},
    "samples, no priors": {"priors": False},
    "plain alone": {"plain": SAMPLES},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    began = commit()
    found: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
    for name in PROBLEMS:
        p = problem(name)
        for seed in range(args.seeds):
            samples = similar(p, seed)
            for arm, options in ARMS.items():
                found[arm].append(search(p, samples, seed, least=LEAST.get(name, 0.0), **options))
        print(
            name,
            {arm: round(float(np.mean([v[-1] for v in vs[-args.seeds :]])), 4) for arm, vs in found.items()},
            flush=True,
        )
    rows = [row(arm, np.array(values), np.array(found["samples"])) for arm, values in found.items()]
    print("| start | after 20 calls | after 60 calls |\n| --- | --- | --- |")
    for r in rows:
        print(f"| {r['arm']} | {said(r['20'])} | {said(r['60'])} |")
    if args.out:
        about = {
            "command": "python research/scripts/optimizers/initialization.py",
            "commit": began,
            "seeds": args.seeds,
            "problems": PROBLEMS,
        }
        write_whole(args.out, json.dumps({**about, "rows": rows}, indent=1))


def similar(p: Problem, seed: int) -> FloatArray:
    """Samples (SAMPLES, d) about a good solution."""
    donor, X = Boltbo(p, seed + 500, "turbo"), p.start(seed + 500)
    values = p.f(X)
    while len(X) < DONOR_CALLS:
        donor.tell(X[-10:] if len(X) > 20 else X, values[-10:] if len(X) > 20 else values)
        new = donor.ask(10)
        X, values = np.vstack([X, new]), np.append(values, p.f(new))
    rng = np.random.default_rng([seed, 9])
    around = np.tile(X[values.argmin()], (SAMPLES, 1))
    moved = rng.random(around.shape) < 0.3
    return np.where(moved, np.clip(around + rng.normal(0.0, 0.25, around.shape), 0.0, 1.0), around)


def search(
    p: Problem,
    samples: FloatArray,
    seed: int,
    *,
    least: float,
    plain: int = 0,
    priors: bool = True,
    **options: Any,
) -> list[float]:
    """The best value, less the least known one, after each of the calls that follow the start."""
    start = np.vstack([samples[: SAMPLES - plain], np.random.default_rng([seed, 5]).random((plain, p.dim))])
    peer = Boltbo(p, seed, "turbo", **options)
    with fitted_by(priors):
        values = p.f(start)
        peer.tell(start, values)
        best = []
        while len(best) < CALLS:
            new = peer.ask(BATCH)
            peer.tell(new, p.f(new))
            for v in p.f(new):
                best.append(min(best[-1] if best else float(values.min()), float(v)))
    return [b - least for b in best]


@contextmanager
def fitted_by(priors: bool) -> Iterator[None]:
    kept = hyperparameters._log_prior
    if not priors:
        hyperparameters._log_prior = lambda theta: (0.0, np.zeros_like(theta))
    try:
        yield
    finally:
        hyperparameters._log_prior = kept


def row(arm: str, values: FloatArray, base: FloatArray) -> dict[str, Any]:
    """Ratios to the samples as they come; a regret of 0 counts as a thousandth."""
    out: dict[str, Any] = {"arm": arm}
    for calls in (20, 60):
        logs = np.log(values[:, calls - 1] + 1e-3) - np.log(base[:, calls - 1] + 1e-3)
        out[str(calls)] = [float(np.exp(x)) for x in (logs.mean(), *interval(logs))]
    return out


def said(x: list[float]) -> str:
    return f"{x[0]:.2f} ({x[1]:.2f} to {x[2]:.2f})"


if __name__ == "__main__":
    main()
