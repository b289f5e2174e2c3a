"""Bounds as bounds, as values, or left out: what each teaches about real query plans (see `tests/data/README.md`)."""

import json

import numpy as np
import pytest
from scipy import stats

from boltbo.optimizers.surrogates import hyperparameters
from boltbo.optimizers.surrogates.surrogate import Surrogate
from support.places import DATA

FACTOR, FIRST = 1.5, 3.0
TOLD, SEEDS = 70, range(6)


def landscapes():
    with np.load(DATA / "plan_landscapes.npz") as recorded:
        for query, about in json.loads(str(recorded["about"])).items():
            X, values = (recorded[f"{query}/{part}"].astype(float) for part in ("X", "values"))
            yield X, values, about["default"]


def as_a_run_sees_it(values, default):
    """Values or bounds in the order of execution, under a timeout of `FACTOR` times the best so far."""
    seen, cut, best = values.copy(), np.zeros(len(values), dtype=bool), np.inf
    for i, value in enumerate(values):
        limit = min(FIRST * default, FACTOR * best)
        seen[i], cut[i] = min(value, limit), value > limit
        best = best if cut[i] else min(best, value)
    return seen, cut, best


def judge(model, X, values, limit):
    """How well plans never told are predicted: log probability of whether they end in time, and two rank correlations."""
    mean, variance = model.posterior.marginals(X)
    z = (model.warp(np.array([limit])) - mean) / np.sqrt(variance + np.exp(model.theta[-1]))
    right = np.where(values <= limit, stats.norm.cdf(z), stats.norm.sf(z))
    good = values <= np.quantile(values, 0.25)
    among_good = stats.spearmanr(mean[good], values[good]).statistic
    return np.log(np.maximum(right, 1e-4)).mean(), stats.spearmanr(mean, values).statistic, among_good


@pytest.fixture(scope="module")
def scores():
    """Of shape (3, 3): bounds as bounds, as values, dropped; the means of `judge`'s measures over queries and seeds."""
    rows = []
    for X, values, default in landscapes():
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(len(values))
            told, rest = order[:TOLD], order[TOLD:]
            seen, cut, best = as_a_run_sees_it(values[told], default)
            nothing, points = np.zeros_like(cut), X[told]
            cases = (points, seen, cut), (points, seen, nothing), (points[~cut], seen[~cut], nothing[~cut])
            row = []
            for case in cases:
                model = Surrogate(hyperparameters.initial_theta(X.shape[1]), *case)
                model.fit(20)
                row.append(judge(model, X[rest], values[rest], min(FIRST * default, FACTOR * best)))
            rows.append(row)
    return np.mean(rows, axis=0)


def test_most_plans_are_cut_and_a_few_are_good():
    shares = [as_a_run_sees_it(values, default)[1].mean() for _, values, default in landscapes()]
    assert len(shares) >= 10
    assert 0.5 < np.mean(shares) < 0.95


def test_bounds_as_bounds_predict_better_than_as_values(scores):
    (in_time, ranks, good), (in_time_values, ranks_values, good_values), _ = scores
    assert in_time > in_time_values + 0.2
    assert ranks > ranks_values + 0.02
    assert good > good_values + 0.03


def test_bounds_as_bounds_predict_better_than_without_them(scores):
    (in_time, ranks, good), _, (in_time_dropped, ranks_dropped, good_dropped) = scores
    assert in_time > in_time_dropped + 0.5
    assert ranks > ranks_dropped + 0.2
    assert good > good_dropped + 0.1
