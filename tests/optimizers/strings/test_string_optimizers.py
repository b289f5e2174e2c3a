"""Search on strings: features, the model, evolution and trust-region Bayesian optimization."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.spatial.distance import pdist

from boltbo.optimizers import make_optimizer
from boltbo.optimizers.surrogates import string_surrogate
from boltbo.optimizers.surrogates.string_features import SLICES, Features
from boltbo.optimizers.surrogates.string_surrogate import GROUPS, StringSurrogate
from boltbo.problem import Observation, Status
from boltbo.spaces import Strings

ALPHABET = "ACDEFGHIKLMNPQRSTVWY"
TEMPLATE = "GIGKFLHSAKKFGKAFVGEIMNS"
SPACE = Strings(ALPHABET, (10, 30), template=TEMPLATE, edits=6)

RNG = np.random.default_rng(5)
WEIGHTS, PAIRS = RNG.normal(size=20), 1.5 * RNG.normal(size=(20, 20))


def energy(candidate):
    """What is in the string and which symbols are neighbours, about its middle; some 10 at first, lower is better."""
    s = [ALPHABET.index(a) for a in candidate]
    value = sum(WEIGHTS[a] for a in s) + sum(PAIRS[a, b] for a, b in pairwise(s))
    return math.exp(0.1 * value)


def observe(candidate, limit=math.inf):
    value = energy(candidate)
    status = Status.CENSORED if value > limit else Status.COMPLETE
    return Observation(candidate, min(value, limit), status, 0.0, "bo")


def strings(n, seed=0, edits=6):
    mutants = SPACE.mutants(TEMPLATE, edits, 2 * n, np.random.default_rng(seed))
    return [tuple(m) for m in dict.fromkeys(mutants)][:n]


# --- features and model -----------------------------------------------------------------------------------------------


def test_a_string_has_the_same_vector_whenever_it_is_seen():
    first, second = Features(), Features()
    some = strings(20)
    forward = first.of(some)
    second.of([("X", "Y"), *some[10:]], keep=True)
    assert (second.of(some[::-1])[::-1] == forward).all()
    assert (first.of(some, keep=True) == forward).all()
    assert (first.of([some[3], some[3]]) == forward[[3, 3]]).all()


def test_distances_of_vectors_are_those_of_the_features():
    some = strings(40)
    X = Features().of(some)
    counts = [Counter(s) for s in some]
    pairs = [Counter((g, a, b) for g in (1, 2, 3, 4) for a, b in zip(s, s[g:], strict=False)) for s in some]
    for group, features in enumerate((counts, pairs)):
        names = sorted({f for c in features for f in c})
        exact = pdist(np.array([[c[f] for f in names] for c in features], dtype=float), "sqeuclidean")
        sketched = pdist(X[:, SLICES[group]], "sqeuclidean")
        assert np.abs(sketched[exact > 0] / exact[exact > 0] - 1.0).mean() < 0.15
        assert np.abs(sketched[exact == 0]).max(initial=0.0) < 1e-9


def test_a_shift_is_a_smaller_change_of_place_than_another_symbol():
    base, shifted, replaced = "AAAAKAAAAA", "AAAAAKAAAA", "AAAAAAAAAK"
    X = Features().of([tuple(s) for s in (base, shifted, replaced)])[:, SLICES[2]]
    assert ((X[0] - X[1]) ** 2).sum() < 0.8 * ((X[0] - X[2]) ** 2).sum()


@pytest.mark.parametrize("bounds", [False, True])
def test_gradient(bounds):
    some = strings(25)
    D = string_surrogate.distances(Features().of(some))
    y = np.log([energy("".join(s)) for s in some])
    variances = np.where(np.arange(25) < 6, 0.3, np.nan) if bounds else None
    mean = string_surrogate.prior_mean(D)

    for theta in (mean, mean + np.array([0.5, -0.4, 0.3, 0.2, 1.0])):
        value, gradient = string_surrogate.objective(theta, D, y, variances, mean)
        assert math.isfinite(value)
        error = check_grad(
            lambda t: string_surrogate.objective(t, D, y, variances, mean)[0],
            lambda t: string_surrogate.objective(t, D, y, variances, mean)[1],
            theta,
        )
        assert error < 1e-4 * np.abs(gradient).max()


def test_the_model_predicts_strings_never_seen():
    known, unknown = strings(200), strings(100, seed=1, edits=4)
    features = Features()
    values = np.array([energy("".join(s)) for s in known])
    model = StringSurrogate(None, features.of(known), values, np.zeros(len(known), dtype=bool))
    start = model.theta
    model.fit(20)
    truth = np.log([energy("".join(s)) for s in unknown])
    assert np.corrcoef(model.posterior.mean(features.of(unknown)), truth)[0, 1] > 0.6
    assert len(model.theta) == GROUPS + 2
    assert (model.theta != start).any()


def test_bounds_are_better_known_than_left_out():
    known, unknown = strings(120), strings(100, seed=1, edits=4)
    features = Features()
    values = np.array([energy("".join(s)) for s in known])
    limit = float(np.quantile(values, 0.4))
    censored = values > limit
    truth = np.log([energy("".join(s)) for s in unknown])

    def correlation(rows):
        model = StringSurrogate(None, features.of(known)[rows], np.minimum(values, limit)[rows], censored[rows])
        model.fit(20)
        return np.corrcoef(model.posterior.mean(features.of(unknown)), truth)[0, 1]

    assert correlation(np.ones(len(known), dtype=bool)) > correlation(~censored) + 0.05


# --- search -----------------------------------------------------------------------------------------------------------


def best_after(name, calls, batch, seed, limit=False):
    """Limits as an oracle sets them that stops at three times the best."""
    optimizer = make_optimizer(name, SPACE, seed=seed)
    told = [observe(c) for c in [TEMPLATE, *("".join(s) for s in strings(9, seed))]]
    optimizer.tell(told)
    while len(told) < calls:
        best = min(o.value for o in told)
        new = [observe(c, 3.0 * best if limit else math.inf) for c in optimizer.ask(batch)]
        optimizer.tell(new)
        told += new
    return min(o.value for o in told if o.complete)


def random_mutants(calls, seed):
    return min(energy(m) for m in SPACE.mutants(TEMPLATE, 6, calls, np.random.default_rng(seed)))


@pytest.mark.parametrize("limit", [False, True])
def test_edits_beats_evolution_and_both_beat_random_mutants(limit):
    edits, evolution = ([best_after(name, 60, 5, seed, limit) for seed in (0, 1)] for name in ("edits", "evolution"))
    assert max(edits) < min(evolution)
    assert max(evolution) < min(random_mutants(60, seed) for seed in (0, 1))


@pytest.mark.parametrize("name", ["edits", "evolution"])
def test_restored_optimizer_goes_on_bit_for_bit(name):
    """Not only the candidates but the whole state agrees, with bounds and failures among the observations."""

    def scored(candidate):
        if candidate.count("K") == 4:
            return Observation(candidate, math.nan, Status.INFEASIBLE, 0.0, "bo")
        return observe(candidate, limit=0.8)

    options = {"candidates": 120, "initial": 6} if name == "edits" else {}
    whole = make_optimizer(name, SPACE, seed=1, **options)
    told = [scored(TEMPLATE)]
    whole.tell(told)
    for step in range(10):
        asked = whole.ask(4)
        assert len(asked) == 4
        resumed = make_optimizer(name, SPACE, seed=2, **options)
        resumed.restore(json.loads(json.dumps(whole.state())), told)
        new = [scored(c) for c in asked]
        whole.tell(new)
        resumed.tell(new)
        told = told + new
        assert resumed.ask(3) == whole.ask(3), f"step {step}"
        first, second = whole.state(), resumed.state()
        first.pop("timings"), second.pop("timings")
        assert first == second, f"step {step}"


def test_the_ball_grows_after_successes_shrinks_after_failures_and_begins_anew():
    edits = make_optimizer(
        "edits", SPACE, seed=0, initial=2, candidates=40, success_tolerance=2, failure_tolerance=2, radius=(2.0, 4.0)
    )
    edits.tell([observe(TEMPLATE), observe("".join(strings(1)[0]))])
    radii, value = [], 1e-3

    def tell(improves):
        nonlocal value
        value = value / 2.0 if improves else value
        [asked] = edits.ask(1)
        edits.tell([Observation(asked, value if improves else 10.0, Status.COMPLETE, 0.0, "bo")])
        radii.append(edits.region.size)

    for improves in (True, True, True, True, False, False, False, False, False, False, False, False):
        tell(improves)
    assert radii == [2.0, 4.0, 4.0, 4.0, 4.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 2.0]
    assert edits.region.start == 12


def test_candidates_stay_in_the_ball():
    edits = make_optimizer("edits", SPACE, seed=0, initial=5, candidates=60, radius=(2.0, 2.0))
    told = [observe("".join(s)) for s in strings(8)]
    edits.tell(told)
    best = min(told, key=lambda o: o.value).candidate
    near = Strings(ALPHABET, (10, 30), template=best, edits=2)
    for candidate in edits.ask(6):
        assert 1 <= near.distance(candidate) <= 2
