"""How long an evaluation should go on, by the model: `Surrogate.limit`, `Turbo.limit`, `solve`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from boltbo.campaign.run import solve
from boltbo.domain import SearchSpace, Stoppable, StringSpace
from boltbo.optimizers import CLASSES, NAMES, Limiting, make_optimizer
from boltbo.optimizers.surrogates import gp
from boltbo.optimizers.surrogates.censored import conditioned
from boltbo.optimizers.surrogates.surrogate import SURE, Surrogate
from boltbo.problem import Evaluation, Observation, Status, Task
from boltbo.spaces import Slots, Strings
from boltbo.storage import Run, Stage, Storage, open_storage
from support.quadratic import Quadratic, make_tasks

SPACE = Slots([["0", "1", "2", "3"]] * 6)
STRINGS = Strings("0123", (6, 6), separator=" ")
SPACES = {"turbo": SPACE, "edits": STRINGS, "screened": STRINGS}


@pytest.mark.parametrize("bound", [-3.0, 0.3, 2.0])
def test_a_bound_gives_the_moments_of_quadrature(bound):
    m, v, noise = 0.3, 0.8, 0.05

    def density(f):
        return stats.norm.pdf(f, m, np.sqrt(v)) * stats.norm.cdf((f - bound) / np.sqrt(noise))

    mass, mean, square = (integrate.quad(lambda f, p=p: f**p * density(f), -8, 12)[0] for p in (0, 1, 2))
    found = conditioned(np.array([m]), np.array([v]), np.array([bound]), noise)
    assert found[0][0] == pytest.approx(mean / mass, abs=1e-5)
    assert found[1][0] == pytest.approx(square / mass - (mean / mass) ** 2, abs=1e-5)


def line(n=40, scale=1.0):
    """Points on a line in [0.2, 0.8], the best at 0.2; nothing is known of what lies left of it."""
    X = np.linspace(0.2, 0.8, n)[:, None]
    return X, scale * (1.0 + 10.0 * (X[:, 0] - 0.2) + 2.0 * np.sin(20.0 * (X[:, 0] - 0.2)) ** 2)


def fitted(X, values, censored=None):
    model = Surrogate(
        gp.initial_theta(X.shape[1]), X, values, np.zeros(len(X), dtype=bool) if censored is None else censored
    )
    model.fit(20)
    return model


def test_what_is_surely_bad_may_stop_at_the_best_and_what_is_unknown_goes_on():
    X, values = line()
    model, best = fitted(X, values), values.min()
    assert model.limit(np.array([0.7]), best) == best
    assert best < model.limit(np.array([0.1]), best)


def test_more_doubt_gives_more_time():
    """Equal means, growing variance: what is read off the posterior at the point decides."""
    X, values = line()
    model, best = fitted(X, values), values.min()
    mean = model.warp(np.array([1.3 * best]))

    class Known:
        def __init__(self, variance):
            self.variance = variance

        def marginals(self, Xs):
            return mean, np.array([self.variance])

    limits = []
    for variance in (1e-4, 0.01, 0.1, 1.0):
        model.posterior = Known(variance)
        limits.append(model.limit(X[0], best))
    assert limits[0] == best
    assert limits == sorted(limits)
    assert limits[-1] > 1.1 * best


def test_at_the_limit_the_model_is_just_sure():
    X, values = line()
    model, best = fitted(X, values), values.min()
    x = np.array([0.1])
    limit = model.limit(x, best)
    assert best < limit < values.max()
    mean, variance = model.posterior.marginals(x[None])

    def lower_end(t):
        m, v = conditioned(mean, variance, model.warp(np.array([t])), float(np.exp(model.theta[-1])))
        return (m - SURE * np.sqrt(v))[0]

    threshold = model.warp(np.array([best]))[0]
    assert lower_end(0.999 * limit) < threshold <= lower_end(limit)


def test_a_limit_lies_between_the_best_and_the_worst():
    rng = np.random.default_rng(0)
    for _ in range(5):
        X, values = rng.random((30, 3)), rng.lognormal(0, 1, 30)
        cut = values > np.quantile(values, 0.6)
        values[cut] = np.quantile(values, 0.6)
        model, best = fitted(X, values, cut), values.min()
        limits = [model.limit(x, best) for x in rng.random((20, 3))]
        assert best <= min(limits) <= max(limits) <= values[~cut].max()


def test_the_unit_of_the_objective_makes_no_difference():
    x = np.array([0.1])
    seconds, milliseconds = (fitted(*line(scale=s)).limit(x, s * line()[1].min()) for s in (1.0, 1000.0))
    assert milliseconds == pytest.approx(1000.0 * seconds, rel=1e-4)


# --- the optimizer ----------------------------------------------------------------------------------------------------


def told(n, seed=0):
    candidates = dict.fromkeys(SPACE.decode(np.random.default_rng(seed).random((n, SPACE.dim))))
    return [
        Observation(c, min(v, 9.0), Status.CENSORED if v > 9.0 else Status.COMPLETE, 0.0, "design")
        for c in candidates
        for v in [1.0 + sum(int(s) for s in c.split())]
    ]


def test_bayesian_optimizers_set_limits_and_the_others_have_no_opinion():
    over_boxes = [n for n in NAMES if CLASSES[n][1] is SearchSpace]
    assert [n for n in over_boxes if isinstance(make_optimizer(n, SPACE, seed=0), Limiting)] == ["turbo"]
    over_strings = [n for n in NAMES if CLASSES[n][1] is StringSpace]
    assert [n for n in over_strings if isinstance(make_optimizer(n, STRINGS, seed=0), Limiting)] == [
        "edits",
        "screened",
    ]


@pytest.mark.parametrize("name", ["turbo", "edits", "screened"])
def test_no_opinion_on_few_observations_or_no_candidate(name):
    optimizer = make_optimizer(name, SPACES[name], seed=0, initial=8)
    assert optimizer.limit("0 0 0 0 0 0") is None
    optimizer.tell(told(4))
    assert optimizer.limit("0 0 0 0 0 0") is None
    optimizer.tell(told(30, seed=1))
    assert optimizer.limit("no such candidate") is None
    assert optimizer.limit("0 0 0 0 0 0") is not None


@pytest.mark.parametrize("name", ["turbo", "edits", "screened"])
def test_asking_for_limits_changes_nothing_and_they_survive_a_restart(name):
    asking, silent = (make_optimizer(name, SPACES[name], seed=0, initial=8) for _ in range(2))
    observations = told(30)
    for optimizer in (asking, silent):
        optimizer.tell(observations)
    for _ in range(3):
        before = asking.limit("3 3 3 3 3 3")
        asked = asking.ask(2)
        assert before is not None
        assert asked == silent.ask(2)
        limits = [asking.limit(c) for c in asked]
        resumed = make_optimizer(name, SPACES[name], seed=9, initial=8)
        resumed.restore(json.loads(json.dumps(asking.state())), observations)
        assert [resumed.limit(c) for c in asked] == limits
        new = [Observation(c, 2.0 + sum(map(int, c.split())), Status.COMPLETE, 0.0, "bo") for c in asked]
        observations = observations + new
        for optimizer in (asking, silent):
            optimizer.tell(new)


# --- the run ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    pass


class Clock(Quadratic):
    """Stops where it is told to, and remembers where that was."""

    def __init__(self, calls: int = 1000) -> None:
        super().__init__()
        self.left = calls
        self.limits: list[tuple[str, float | None]] = []

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        return self._note(task, candidate, best, None)

    def evaluate_within(self, task: Task, candidate: str, best: float | None, limit: float) -> Evaluation:
        assert best is not None
        assert limit >= best
        value = self._note(task, candidate, best, limit)
        return Evaluation(limit, Status.CENSORED) if value > limit else Evaluation(value)

    def _note(self, task: Task, candidate: str, best: float | None, limit: float | None) -> float:
        if self.left == 0:
            raise Killed
        self.left -= 1
        self.limits.append((candidate, limit))
        return super().evaluate(task, candidate, best)


def stored(path: Path, optimizer: str) -> tuple[Storage, int]:
    store = open_storage(str(path))
    store.attach("c", "quadratic", {}, "0")
    initial = tuple((f"{i} {15 - i} {i}", "design") for i in range(0, 16, 2))
    options = {"initial": 6} if optimizer == "turbo" else {}
    store.add_runs([Run(Stage.TRAIN, 0, make_tasks(1)[0], initial, 20, 2, optimizer, options, seed=3)])
    return store, store.runs()[0].id


def test_a_stoppable_domain_is_told_the_limits(tmp_path):
    assert isinstance(Clock(), Stoppable)
    assert not isinstance(Quadratic(), Stoppable)
    domain = Clock()
    observations = solve(domain, *stored(tmp_path / "s.db", "turbo")).observations
    assert [limit for _, limit in domain.limits[:8]] == [None] * 8
    assert None not in [limit for _, limit in domain.limits[8:]]
    assert Status.CENSORED in {o.status for o in observations}


def test_without_an_opinion_it_is_asked_as_any_other(tmp_path):
    domain = Clock()
    solve(domain, *stored(tmp_path / "s.db", "random"))
    assert {limit for _, limit in domain.limits} == {None}


@pytest.mark.parametrize("calls", [3, 8, 9, 13])
def test_a_run_cut_short_goes_on_with_the_same_limits(tmp_path, calls):
    whole, dying, resumed = Clock(), Clock(calls), Clock()
    expected = solve(whole, *stored(tmp_path / "whole.db", "turbo")).observations
    store, run_id = stored(tmp_path / "cut.db", "turbo")
    with pytest.raises(Killed):
        solve(dying, store, run_id)
    got = solve(resumed, store, run_id).observations
    assert dying.limits + resumed.limits == whole.limits
    assert [(o.candidate, o.value, o.status) for o in got] == [(o.candidate, o.value, o.status) for o in expected]
