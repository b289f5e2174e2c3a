"""The shared surrogates as optimizers: the contract, what they gain from sources, and data of every kind."""

import math

import numpy as np
import pytest

from boltbo import Observation, Task, Trajectory
from boltbo.domain import StringSpace
from boltbo.optimizers.contract import check_optimizer
from boltbo.problem import Status
from boltbo.spaces import Strings
from boltbo_bench.transfer import SURROGATES, make, random_search
from boltbo_bench.transfer.cost import search as timed_search
from boltbo_bench.transfer.features import BoxFeatures, HashedNgrams, StringFeatures, with_context
from boltbo_bench.transfer.optimizer import PoolOptimizer, log_improvement, optimizer_for
from support.transfer_bowls import SPACE, observe, search, sources, task

pytest.importorskip("torch")
TASK = Task("new", "a new task")
QUICK = {"dkt": {"steps": 100}, "fsbo": {"steps": 100, "fine_steps": 2}, "ablr": {"iterations": 20}}
BOX = BoxFeatures(lambda _: SPACE)


def slots(n):
    """Runs on tasks of the contract's space of eight slots, also told of what has no value."""
    rng, runs = np.random.default_rng(0), []
    for i in range(n):
        texts = [" ".join(map(str, rng.integers(4, size=8))) for _ in range(12)]
        told = [Observation(t, float(sum(map(int, t.split()))) + i, Status.COMPLETE, 0.0, "bo") for t in texts]
        told += [Observation("0 0 0 0 0 0 0 0", math.nan, Status.FAILED, 0.0, "bo")]
        runs.append(Trajectory(Task(f"s{i}", "a source"), tuple(told)))
    return runs


@pytest.mark.slow
@pytest.mark.parametrize("sources_", [0, 3], ids=["without sources", "with sources"])
@pytest.mark.parametrize("name", SURROGATES)
def test_contract_in_a_box(name, sources_):
    surrogate = make(name, slots(sources_), HashedNgrams(12, places=4), **QUICK.get(name, {}))
    check_optimizer(lambda space, seed: optimizer_for(surrogate, TASK, space, seed=seed, pool=24))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icm", "fsbo", "rgpe"])
def test_contract_on_strings(name):
    features = with_context(StringFeatures(12), 4)
    surrogate = make(name, slots(3), features, **QUICK.get(name, {}))
    check_optimizer(lambda space, seed: optimizer_for(surrogate, TASK, space, seed=seed, pool=24), over=StringSpace)


def test_contract_of_random_strings():
    check_optimizer(lambda space, seed: random_search(space, seed=seed), over=StringSpace)


@pytest.fixture(scope="module")
def by_chance():
    return float(np.mean([search(random_search(SPACE, seed=k), task(100 + k), 12, k) for k in range(3)]))


@pytest.mark.parametrize("name", SURROGATES)
def test_gains_from_sources_that_tell(name, by_chance):
    surrogate = make(name, sources(8), BOX, **({"steps": 500} if name in ("dkt", "fsbo") else {}))
    found = [search(optimizer_for(surrogate, task(100 + k), SPACE, seed=k), task(100 + k), 12, k) for k in range(3)]
    assert np.mean(found) < 0.75 * by_chance, f"{name}: {found}, random search on average {by_chance}"


@pytest.mark.parametrize("name", SURROGATES)
def test_same_seed_same_candidates(name):
    def play():
        surrogate = make(name, sources(2), BOX, seed=3, **QUICK.get(name, {}))
        optimizer = optimizer_for(surrogate, task(50), SPACE, seed=4, pool=40)
        optimizer.tell([observe(task(50), c) for c in SPACE.decode(np.random.default_rng(1).random((6, 6)))])
        return optimizer.ask(3)

    assert play() == play()


def constant(n):
    texts = SPACE.decode(np.random.default_rng(9).random((n, 6)))
    return Trajectory(Task("flat", "flat"), tuple(Observation(t, 7.0, Status.COMPLETE, 0.0, "bo") for t in texts))


def censored(i):
    told = [observe(task(i), c) for c in SPACE.decode(np.random.default_rng(i).random((12, 6)))]
    bounds = [Observation(o.candidate, o.value / 3.0, Status.CENSORED, 0.0, "bo") for o in told[6:]]
    return Trajectory(task(i), (*told[:6], *bounds))


@pytest.mark.parametrize("standardise", ["anchored", "warp", "rank"])
@pytest.mark.parametrize("kind", ["none", "one", "constant", "censored", "one value each"])
@pytest.mark.parametrize("name", SURROGATES)
def test_predictions_are_finite_whatever_the_data(name, kind, standardise):
    runs = {
        "none": [],
        "one": sources(1),
        "constant": [constant(8), constant(5)],
        "censored": [censored(0), censored(1)],
        "one value each": [constant(1), constant(1)],
    }[kind]
    surrogate = make(name, runs, BOX, standardise=standardise, **QUICK.get(name, {}))
    for told in (constant(6).observations, censored(2).observations):
        optimizer = optimizer_for(surrogate, task(60), SPACE, seed=0, pool=30)
        optimizer.tell(told)
        (asked,) = optimizer.ask(1)
        assert asked not in {o.candidate for o in told}
        X = BOX(task(60), [o.candidate for o in told])
        mean, variance = surrogate.target(X, np.linspace(-1, 1, len(X))).predict(X)
        assert np.isfinite(mean).all()
        assert np.isfinite(variance).all()
        assert (variance >= 0).all()


def test_transferred_candidates_join_the_pool_and_invalid_ones_do_not():
    surrogate = make("pogpe", sources(4), BOX)
    good = " ".join(f"{x:.6f}" for x in task(70).data["optimum"])
    optimizer = PoolOptimizer(surrogate, task(70), SPACE, seed=0, pool=40, transferred=[good, good])
    optimizer.tell([observe(task(70), c) for c in SPACE.decode(np.random.default_rng(2).random((6, 6)))])
    assert good in optimizer.ask(3)
    strings = Strings("ab", (3, 5))
    letters = PoolOptimizer(surrogate, task(70), strings, seed=0, transferred=["abz", "aba", "ab"])
    assert list(letters._transferred) == ["aba"]


def test_what_the_domain_forbids_is_never_asked():
    surrogate = make("pogpe", sources(3), BOX)
    right = optimizer_for(surrogate, task(72), SPACE, seed=0, pool=60, feasible=lambda c: float(c.split()[0]) > 0.5)
    right.tell([observe(task(72), c) for c in SPACE.decode(np.random.default_rng(2).random((6, 6)))])
    assert all(SPACE.encode(c)[0] > 0.5 for c in right.ask(6))


def test_several_asked_at_once_lie_apart():
    surrogate = make("icm", sources(4), BOX)
    optimizer = optimizer_for(surrogate, task(71), SPACE, seed=0)
    optimizer.tell([observe(task(71), c) for c in SPACE.decode(np.random.default_rng(2).random((6, 6)))])
    X = np.array([SPACE.encode(c) for c in optimizer.ask(4)])
    distances = np.linalg.norm(X[:, None] - X[None], axis=-1)[np.triu_indices(4, 1)]
    assert distances.min() > 1e-3


def test_log_improvement_against_quadrature_and_far_in_the_tail():
    mean, variance, best = np.array([0.3, -0.2, 1.0]), np.array([0.5, 0.1, 0.04]), 0.1
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    values = np.maximum(best - mean[:, None] - np.sqrt(variance)[:, None] * nodes, 0.0) @ (weights / weights.sum())
    assert np.exp(log_improvement(mean, variance, best)) == pytest.approx(values, rel=0.05, abs=1e-7)
    far = log_improvement(np.array([1.0, 24.9, 25.1, 1e6]), np.ones(4), 0.0)
    assert np.isfinite(far).all()
    assert (np.diff(far) < 0).all()


def test_cost_is_measured_and_a_search_is_told_in_order():
    surrogate = make("rgpe", sources(3), BOX)
    assert surrogate.cost.cpu_seconds > 0
    assert surrogate.cost.peak_mib is not None
    assert surrogate.cost.peak_mib > 10
    first = [observe(task(80), c) for c in SPACE.decode(np.random.default_rng(0).random((4, 6)))]
    found = timed_search(
        optimizer_for(surrogate, task(80), SPACE, seed=0, pool=40), first, 5, lambda c: observe(task(80), c)
    )
    assert list(found.observations[:4]) == first
    assert len(found.observations) == 9
    assert len(found.cpu_seconds) == 5


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gp", {}, "choose one of icm, dkt"),
        ("icm", {"rang": 2}, "rang"),
        ("icm", {"rank": 0}, "rank"),
        ("icm", {"points": 1}, "points"),
        ("fsbo", {"fine_steps": 0}, "fine_steps"),
        ("ablr", {"together": -1}, "together"),
        ("sgpe", {"pooled": 1}, "pooled"),
        ("rgpe", {"standardise": "z"}, "anchored, warp, rank"),
    ],
)
def test_unusable_arguments_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        make(name, [], BOX, **options)
