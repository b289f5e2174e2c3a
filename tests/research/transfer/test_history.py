"""Histories as text, examples cut from runs, and the optimizer that asks a language model, with real small models."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from boltbo import Observation, Task, Trajectory
from boltbo.domain import StringSpace
from boltbo.llm.backend import Example
from boltbo.llm.compact.model import CompactModel
from boltbo.optimizers.contract import check_optimizer
from boltbo.problem import Status
from boltbo_bench.transfer.history import BETTER, LEAST, MOST, examples, levels, text
from boltbo_bench.transfer.language import LanguageOptimizer
from support.quadratic import Quadratic, make_tasks

TASK = Task("new", "a new task")
DOMAIN = Quadratic()


def observed(candidate: str, value: float, status: Status = Status.COMPLETE, source: str = "bo") -> Observation:
    return Observation(candidate, value, status, 0.0, source)


def texts(n: int, rng: np.random.Generator) -> list[str]:
    return [" ".join(map(str, row)) for row in rng.integers(16, size=(n, 3)).tolist()]


def told(context: str, observations: list[Observation], wanted: int) -> str:
    """What a model reads of these."""
    own = [o for o in observations if o.status in (Status.COMPLETE, Status.CENSORED)]
    censored = np.array([o.status is Status.CENSORED for o in own])
    return text(context, [o.candidate for o in own], np.array([o.value for o in own]), censored, wanted, " ")


# --- text ----------------------------------------------------------------------------------------------------------------


def test_levels_are_gaps_to_the_best_before() -> None:
    values, complete = np.array([10.0, 8.0, 12.0, 9.0, 8.0, 30.0]), np.zeros(6, dtype=bool)
    assert levels(values, complete).tolist() == [7, 1, 8, 6, 1, 9]
    assert levels(1000 * values + 5, complete).tolist() == [7, 1, 8, 6, 1, 9]  # whatever the task's scale is
    assert levels(values, complete, 1).tolist() == [1, BETTER, 7, BETTER, BETTER, 9]
    assert levels(np.full(4, 7.0), np.zeros(4, dtype=bool)).tolist() == [1, 1, 1, 1]
    # a bound is no value that could be better than the best
    assert levels(np.array([5.0, 8.0, 9.0]), np.array([True, False, False])).tolist()[0] == 1


def test_the_best_and_the_last_are_told_in_the_order_of_the_calls() -> None:
    values = np.array([5.0, 1.0, 9.0, 2.0, 8.0, 3.0, 7.0, 6.0, 4.0, 9.5, 9.6, 9.7])
    candidates = [f"c{i}" for i in range(len(values))]
    lines = text("the\ncontext", candidates, values, np.zeros(12, dtype=bool), 0, " ").split("\n")
    assert lines[:3] == ["the", "context", ""]
    assert lines[-1] == "0"
    assert [line.split()[1] for line in lines[3:-1]] == ["c1", "c3", "c5", "c7", "c8", "c9", "c10", "c11"]
    assert lines[3] == "1 c1"
    few = text("x", ["ACD", "AC"], values[:2], np.zeros(2, dtype=bool), 3, "")
    assert few == "x\n\n9 A C D\n1 A C\n3"  # letters of a sequence are parted


# --- examples ------------------------------------------------------------------------------------------------------------

OBSERVATIONS = st.lists(
    st.tuples(
        st.integers(0, 30), st.floats(-5, 5), st.sampled_from([*Status, Status.COMPLETE, Status.COMPLETE]),
        st.sampled_from(["bo", "llm", "design", "default"]),
    ).map(lambda x: observed(f"{x[0]} 0 0", x[1] if x[2] in (Status.COMPLETE, Status.CENSORED) else math.nan, x[2], x[3])),
    max_size=40,
)  # fmt: skip


@given(OBSERVATIONS, st.integers(0, 3))
def test_an_example_knows_nothing_of_what_came_later(run: list[Observation], seed: int) -> None:
    found = examples([Trajectory(TASK, tuple(run))], DOMAIN, seed)[TASK.id]
    assert len(found) <= MOST
    valued = [o for o in run if o.status in (Status.COMPLETE, Status.CENSORED)]
    first = {o.candidate: t for t, o in reversed(list(enumerate(valued)))}
    assert len({e.solution for e in found}) == len(found)
    for e in found:
        t = first[e.solution]  # the first time that it was asked: no example is a repeat
        before, next_ = valued[:t], valued[t]
        assert t >= LEAST
        assert next_.source in ("bo", "llm")
        wanted = int(e.context.rpartition("\n")[2])
        assert e.context == told(TASK.context, before, wanted)
        complete = [o.value for o in before if o.complete]
        if not next_.complete:
            assert wanted > BETTER
        elif next_.value > min(complete):
            assert wanted > 1 or next_.value - min(complete) < 1e-6 * max(map(abs, complete))
        elif wanted == BETTER:
            assert next_.value < min(complete)


def test_improvements_are_examples_before_others() -> None:
    rng = np.random.default_rng(0)
    run = [observed(c, 100.0, source="design") for c in texts(10, rng)]
    run += [observed(c, 90.0 - i if i % 5 == 0 else 120.0 + i) for i, c in enumerate(dict.fromkeys(texts(60, rng)))]
    run[0] = observed(run[0].candidate, 110.0, source="default")
    found = examples([Trajectory(TASK, tuple(run))], DOMAIN, 0)[TASK.id]
    better = [e for e in found if e.context.endswith(f"\n{BETTER}")]
    assert len(found) == MOST
    assert MOST // 2 <= len(better) < MOST
    assert found != examples([Trajectory(TASK, tuple(run))], DOMAIN, 1)[TASK.id]


def test_of_many_runs_fewer_examples_each() -> None:
    rng = np.random.default_rng(0)
    runs = [Trajectory(t, tuple(observed(c, float(rng.random())) for c in texts(30, rng))) for t in make_tasks(1000)]
    found = examples(runs, DOMAIN, 0)
    assert {len(own) for own in found.values()} == {4}
    assert examples([Trajectory(TASK, ())], DOMAIN, 0) == {"new": []}


# --- the optimizer -------------------------------------------------------------------------------------------------------


def untaught() -> CompactModel:
    return CompactModel.create([Example("a new task", "0 1 2 3 4 5 6 7 8 a b")] * 2, width=32, layers=1, heads=2)


@pytest.mark.parametrize("over", [None, StringSpace])
def test_contract(over: type | None) -> None:
    model = untaught()
    check_optimizer(
        lambda space, seed: LanguageOptimizer(model, TASK, space, space, seed=seed, samples=4),
        **({"over": over} if over else {}),
    )


SAME = [Task(f"t{i}", f"dials of {i}", {"wanted": [8, 8, 8]}) for i in range(20)]


def guided(task: Task, rng: np.random.Generator) -> Trajectory:
    """A run whose method asks now close to the optimum, now anywhere."""
    run = [observed(c, DOMAIN.evaluate(task, c, None), source="design") for c in texts(5, rng)]
    for i in range(20):
        point = rng.integers(7, 10, size=3) if i % 2 else rng.integers(16, size=3)
        candidate = " ".join(map(str, point.tolist()))
        run.append(observed(candidate, DOMAIN.evaluate(task, candidate, None)))
    return Trajectory(task, tuple(run))


def test_a_model_that_read_histories_asks_for_better_ones_than_one_that_did_not() -> None:
    rng = np.random.default_rng(1)
    corpus = [e for own in examples([guided(t, rng) for t in SAME], DOMAIN, 0).values() for e in own]
    means = []
    for epochs in (0, 5):
        model = CompactModel.create(corpus, width=32, layers=2, heads=2)
        if epochs:
            model.fit(corpus, epochs=epochs, seed=0, rate=3e-3)
        found = []
        for task in SAME[:4]:
            optimizer = LanguageOptimizer(model, task, DOMAIN.space(task), DOMAIN.grammar(task), seed=3)
            optimizer.tell([observed(c, DOMAIN.evaluate(task, c, None)) for c in texts(6, np.random.default_rng(2))])
            found += [DOMAIN.evaluate(task, c, None) for c in optimizer.ask(4)]
        means.append(float(np.mean(found)))
    assert means[1] < 0.6 * means[0], means


def test_what_the_domain_forbids_is_not_asked_and_what_is_known_neither() -> None:
    task = make_tasks(1)[0]
    optimizer = LanguageOptimizer(untaught(), task, DOMAIN.space(task), DOMAIN.grammar(task), seed=0)
    optimizer.feasible = lambda c: c.split()[0] in ("3", "4")  # type: ignore[method-assign]
    optimizer.tell([observed(c, float(i)) for i, c in enumerate(texts(6, np.random.default_rng(0)))])
    asked = optimizer.ask(6)
    assert len(set(asked)) == 6
    assert {c.split()[0] for c in asked} <= {"3", "4"}
    with pytest.raises(ValueError, match="samples must be at least 1"):
        LanguageOptimizer(untaught(), task, DOMAIN.space(task), DOMAIN.grammar(task), seed=0, samples=0)
