"""Constraints: those that a domain can check, and those that only the oracle sees (SCBO)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from boltbo import Slots, Status, Task
from boltbo.campaign.oracle import call_oracle
from boltbo.optimizers import make_optimizer
from boltbo.optimizers.box.turbo import Turbo
from boltbo.optimizers.surrogates.feasibility import Feasibility, observed
from boltbo.problem import Evaluation, Observation

D = 6


class Numbers:
    dim = D

    def encode(self, candidate: str) -> np.ndarray:
        return np.array(candidate.split(), dtype=float)

    def decode(self, points: np.ndarray) -> list[str]:
        return [" ".join(f"{x:.6f}" for x in row) for row in points]


def objective(x: np.ndarray) -> float:
    return float(((x - 0.8) ** 2).sum())


def constraint(x: np.ndarray) -> float:
    """A ball about 0.55: the best point outside is forbidden, hardly a random point is allowed."""
    return float(np.linalg.norm(x - 0.55) - 0.25)


def observation(candidate: str, *, numbers: bool) -> Observation:
    x = np.array(candidate.split(), dtype=float)
    c = constraint(x)
    status, value = (Status.COMPLETE, objective(x)) if c <= 0 else (Status.INFEASIBLE, math.nan)
    return Observation(candidate, value, status, 0.0, "bo", constraints=(c,) if numbers else ())


def search(seed: int, *, numbers: bool, calls: int = 80) -> list[Observation]:
    optimizer = make_optimizer("turbo", Numbers(), seed=seed, initial=10)
    found: list[Observation] = []
    while len(found) < calls:
        batch = [observation(c, numbers=numbers) for c in optimizer.ask(5)]
        optimizer.tell(batch)
        found += batch
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_back_to_a_small_feasible_region(seed: int) -> None:
    """About one random point in a thousand is feasible: with numbers the way there is known."""
    share = np.mean([constraint(x) <= 0 for x in np.random.default_rng(seed).random((4000, D))])
    assert share < 0.01
    found = search(seed, numbers=True)
    feasible = [o for o in found if o.complete]
    assert len([o for o in found[40:] if o.complete]) > 10
    best = min(o.value for o in feasible)
    least = D * (0.25 - 0.25 / math.sqrt(D)) ** 2  # on the ball's surface towards 0.8
    assert best < 1.5 * least


def labelled(monkeypatch: pytest.MonkeyPatch, seed: int, *, model: bool) -> tuple[int, float]:
    """How many of 80 candidates were feasible, and the best, where x0 + x1 > 1 is forbidden and the objective pulls there."""
    with monkeypatch.context() as patch:
        if not model:
            patch.setattr(Turbo, "_feasibility", lambda *_: None)
        optimizer = make_optimizer("turbo", Numbers(), seed=seed, initial=10)
        found: list[Observation] = []
        while len(found) < 80:
            batch = []
            for c in optimizer.ask(5):
                x = np.array(c.split(), dtype=float)
                bad = x[0] + x[1] > 1.0
                value, status = (math.nan, Status.INFEASIBLE) if bad else (objective(x), Status.COMPLETE)
                batch.append(Observation(c, value, status, 0.0, "bo"))
            optimizer.tell(batch)
            found += batch
    return sum(o.complete for o in found), min(o.value for o in found if o.complete)


@pytest.mark.slow
def test_labels_alone_teach_where_not_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    taught, untaught = ([labelled(monkeypatch, seed, model=model) for seed in range(4)] for model in (True, False))
    assert sum(n for n, _ in taught) > 1.2 * sum(n for n, _ in untaught)
    assert max(best for _, best in taught) < 0.3  # at the wall it is 0.18


def test_a_search_under_constraints_goes_on_as_if_never_interrupted() -> None:
    whole = make_optimizer("turbo", Numbers(), seed=1, initial=5)
    told: list[Observation] = []
    for step in range(6):
        resumed = make_optimizer("turbo", Numbers(), seed=9, initial=5)
        resumed.restore(whole.state(), told)
        asked = whole.ask(4)
        assert resumed.ask(4) == asked, f"step {step}"
        batch = [observation(c, numbers=True) for c in asked]
        whole.tell(batch)
        told += batch


def test_numbers_told_of_few_points_are_not_lost_among_many_without() -> None:
    optimizer = make_optimizer("turbo", Numbers(), seed=0, initial=5, max_points=5)
    design = [" ".join(["0.500000"] * D), *Numbers().decode(0.9 + 0.1 * np.random.default_rng(0).random((8, D)))]
    told = [Observation(c, objective(np.array(c.split(), float)), Status.COMPLETE, 0.0, "design") for c in design[1:]]
    optimizer.tell([*told, observation(design[0], numbers=True)])
    assert len(optimizer.ask(3)) == 3


def test_draws_know_the_violation_at_what_was_observed() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((60, 2))
    C = np.column_stack([X[:, 0] - 0.5, 0.2 - X[:, 1]])
    model = Feasibility([], X, C)
    model.fit(30)
    drawn = model.violations(X, 32, rng)
    wanted = np.maximum(C, 0).sum(axis=1)
    assert ((drawn > 0).mean(axis=0) > 0.5)[wanted > 0.05].all()
    clear = (C < -0.05).all(axis=1)
    assert ((drawn > 0).mean(axis=0) < 0.5)[clear].all()


def test_what_was_observed_of_constraints() -> None:
    infeasible = np.array([False, True, False])
    assert observed([(), (), ()], np.zeros(3, dtype=bool)) is None
    labels = observed([(), (), ()], infeasible)
    assert labels is not None
    assert labels.ravel().tolist() == [-1.0, 1.0, -1.0]
    numbers = observed([(-1.0, 2.0), (), (0.5, -0.5)], infeasible)
    assert numbers is not None
    assert np.isnan(numbers[1]).all()
    assert numbers[2].tolist() == [0.5, -0.5]


class Walled:
    """A domain that knows what it may not score, and an oracle that would be angry."""

    name, instruction = "walled", "Set."

    def __init__(self) -> None:
        self.calls: list[str] = []

    def feasible(self, task: Task, candidate: str) -> bool:
        return sum(map(int, candidate.split())) % 3 != 0

    def evaluate(self, task: Task, candidate: str, best: float | None) -> Evaluation:
        self.calls.append(candidate)
        assert self.feasible(task, candidate), candidate
        a, b, c = map(int, candidate.split())
        return Evaluation(abs(a - 5) + abs(b - 7) + c, constraints=(float(a - 8),))

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return ["0 0 0", *self.space(task).decode(rng.random((n - 1, 3)))]

    def space(self, task: Task) -> Slots:
        return Slots([[str(i) for i in range(10)]] * 3)

    grammar = space


@pytest.mark.parametrize("optimizer", ["turbo", "local", "random"])
def test_what_a_domain_forbids_is_never_scored_and_costs_no_call(optimizer: str, tmp_path) -> None:
    from boltbo import Campaign, Settings
    from boltbo.settings import RunSettings

    domain = Walled()
    settings = Settings(rounds=(1,), run=RunSettings(budget=40, initial=10, batch=4, optimizer=optimizer))
    campaign = Campaign(domain, [Task("t", "t")], settings=settings, storage=tmp_path / "s.db", progress=False)
    found = campaign.optimize(Task("u", "u"), 40, from_design=True).observations
    assert len(domain.calls) == len(found)
    assert all(domain.feasible(Task("u", "u"), c) for c in domain.calls)
    assert len(found) == 40
    broken = [o for o in found if o.status is Status.INFEASIBLE]
    assert all(o.constraints == (float(int(o.candidate.split()[0]) - 8),) for o in found)
    assert all(o.constraints[0] > 0 and math.isnan(o.value) for o in broken)


def test_numbers_of_constraints_decide_and_must_be_finite() -> None:
    class Odd(Walled):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> Evaluation:
            return Evaluation(1.0, constraints=(math.nan,) if candidate == "1 1 2" else (0.0, 3.0))

    o = call_oracle(Odd(), Task("t", "t"), "0 0 1", "bo", None)
    assert (o.status, o.constraints) == (Status.INFEASIBLE, (0.0, 3.0))
    assert call_oracle(Odd(), Task("t", "t"), "1 1 2", "bo", None).status is Status.FAILED
