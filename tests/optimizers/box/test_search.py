"""The optimizers at work: on a smooth function and on discrete choices, with interruptions, restarts and time limits."""

import json
import math

import numpy as np
import pytest

from boltbo.optimizers import make_optimizer
from boltbo.optimizers.box.turbo import Turbo
from boltbo.problem import Observation, Status
from boltbo.spaces import Slots


class Numbers:
    """Points written as numbers with six digits."""

    def __init__(self, dim):
        self.dim = dim

    def encode(self, candidate):
        return np.array([float(x) for x in candidate.split()])

    def decode(self, points):
        return [" ".join(f"{x:.6f}" for x in row) for row in points]


def ackley(candidate):
    x = (np.array([float(v) for v in candidate.split()]) - 0.37) * 20
    return float(20 + math.e - 20 * np.exp(-0.2 * np.sqrt((x**2).mean())) - np.exp(np.cos(2 * np.pi * x).mean()))


CHOICES = Slots([[str(j) for j in range(4)]] * 30)
WEIGHTS = np.random.default_rng(0).normal(size=(30, 4))
PAIRS = np.random.default_rng(1).normal(size=(29, 4, 4))


def choices(candidate):
    s = [int(v) for v in candidate.split()]
    single = sum(WEIGHTS[i, v] for i, v in enumerate(s))
    return math.exp(0.1 * (single + sum(PAIRS[i, s[i], s[i + 1]] for i in range(29))))


def observe(candidate, objective, limit=math.inf):
    value = objective(candidate)
    status = Status.CENSORED if value > limit else Status.COMPLETE
    return Observation(candidate, min(value, limit), status, 0.0, "bo")


def best_after(name, space, objective, calls, batch, seed):
    optimizer = make_optimizer(name, space, seed=seed)
    told = [observe(c, objective) for c in space.decode(np.random.default_rng(seed).random((30, space.dim)))]
    optimizer.tell(told)
    while len(told) < calls:
        new = [observe(c, objective) for c in optimizer.ask(batch)]
        optimizer.tell(new)
        told += new
    return min(o.value for o in told)


@pytest.mark.parametrize(
    ("space", "objective", "calls", "batch"), [(Numbers(20), ackley, 200, 10), (CHOICES, choices, 130, 5)]
)
def test_turbo_and_local_search_beat_random_search(space, objective, calls, batch):
    results = {
        name: [best_after(name, space, objective, calls, batch, seed) for seed in (0, 1)]
        for name in ("turbo", "local", "random")
    }
    assert max(results["turbo"]) < 0.7 * min(results["random"])
    assert max(results["local"]) < 0.9 * min(results["random"])


@pytest.mark.parametrize("name", ["turbo", "local", "random"])
def test_restored_optimizer_goes_on_bit_for_bit(name):
    """Not only the candidates but the whole state agrees, with bounds and failures among the observations."""

    def scored(candidate):
        number = int(candidate[-4:])
        if number % 7 == 0:
            return Observation(candidate, math.nan, Status.INFEASIBLE, 0.0, "bo")
        return observe(candidate, ackley, limit=12.0)

    space = Numbers(6)
    whole = make_optimizer(name, space, seed=1)
    told = []
    for step in range(12):
        asked = whole.ask(4)
        state = json.loads(json.dumps(whole.state()))
        resumed = make_optimizer(name, space, seed=2)
        resumed.restore(state, told)
        new = [scored(c) for c in asked]
        whole.tell(new)
        resumed.tell(new)
        told += new
        assert resumed.ask(3) == whole.ask(3), f"step {step}"
        first, second = whole.state(), resumed.state()
        assert first.pop("timings") != second.pop("timings")
        assert first == second, f"step {step}"


def turbo(**options):
    return Turbo(Numbers(5), seed=0, **{"initial": 4, "candidates": 50, **options})


def play(optimizer, values):
    for value in values:
        (candidate,) = optimizer.ask(1)
        optimizer.tell([Observation(candidate, float(value), Status.COMPLETE, 0.0, "bo")])


def test_region_doubles_after_successes_and_halves_after_failures():
    optimizer = turbo(success_tolerance=3, failure_tolerance=4)
    play(optimizer, [10, 10, 10, 10])
    assert optimizer.region.size == 0.8
    play(optimizer, [9, 8, 7])
    assert optimizer.region.size == 1.6
    play(optimizer, [9, 9, 9, 6.9999, 9, 9, 9])  # a gain too small to count is a failure
    assert optimizer.region.size == 0.8


def test_initial_points_and_observations_from_elsewhere_are_no_failures():
    optimizer = turbo(failure_tolerance=1)
    foreign = Numbers(5).decode(np.random.default_rng(0).random((6, 5)))
    optimizer.tell([Observation(c, 1.0 + i, Status.COMPLETE, 0.0, "llm") for i, c in enumerate(foreign)])
    optimizer.tell([Observation("0.5 0.5 0.5 0.5 0.5", 9.0, Status.COMPLETE, 0.0, "import")])
    assert optimizer.region.size == 0.8
    play(optimizer, [9])
    assert optimizer.region.size == 0.4


def test_region_restarts_elsewhere_and_keeps_what_it_knows():
    optimizer = turbo(failure_tolerance=1, length=(0.8, 0.3, 1.6))
    play(optimizer, [1, 2, 3, 4, 5, 5])
    state = optimizer.state()
    assert (state["region"]["size"], state["region"]["start"]) == (0.8, 6)
    play(optimizer, [7, 7, 7, 6])
    assert optimizer.region.size == 0.8, "the new region's first points count as initial"
    play(optimizer, [6.5])
    assert optimizer.region.size == 0.4, "success is measured against the new region's best"
    assert len(optimizer.history) == 11


def test_candidates_stay_near_the_centre_of_a_small_region():
    optimizer = turbo(length=(0.05, 0.01, 1.6))
    centre = np.full(5, 0.5)
    design = [*np.random.default_rng(0).random((10, 5)), centre]
    values = [float(((x - 0.5) ** 2).sum()) for x in design]
    texts = Numbers(5).decode(np.array(design))
    optimizer.tell([Observation(c, v, Status.COMPLETE, 0.0, "llm") for c, v in zip(texts, values, strict=True)])
    points = np.array([optimizer.space.encode(c) for c in optimizer.ask(8)])
    assert np.exp(np.log(np.abs(points - centre).max(axis=0) + 1e-9).mean()) < 0.05


def test_timings_are_added_up():
    optimizer = turbo()
    play(optimizer, [3, 2, 4, 1, 5])
    assert set(optimizer.timings) == {"fit", "acquire", "decode"}
    assert all(seconds > 0 for seconds in optimizer.timings.values())
