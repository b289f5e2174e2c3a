from __future__ import annotations

import math
from pathlib import Path

import pytest

from boltbo.campaign.oracle import call_oracle
from boltbo.campaign.run import solve
from boltbo.campaign.step_times import step_times
from boltbo.errors import ConfigError, InvalidCandidate, OracleUnavailable
from boltbo.optimizers import make_optimizer
from boltbo.problem import Evaluation, Status, Task
from boltbo.storage import Run, Stage, Storage, open_storage
from support.quadratic import Quadratic, make_tasks

[TASK] = make_tasks(1)


def stored(path: Path, budget: int = 12, optimizer: str | None = "turbo", batch: int = 1) -> tuple[Storage, int]:
    store = open_storage(str(path / "s.db"))
    store.attach("c", "quadratic", {}, "0")
    initial = (("0 0 0", "default"), ("8 8 8", "design"), ("15 0 15", "design"))
    store.add_runs([Run(Stage.TRAIN, 0, TASK, initial, budget, batch, optimizer, seed=3)])
    return store, store.runs()[0].id


def test_a_run_spends_its_budget_and_says_who_proposed_what(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path)
    observations = solve(Quadratic(), store, run_id).observations
    assert [o.source for o in observations] == ["default", "design", "design"] + ["bo"] * 9
    assert len({o.candidate for o in observations}) == 12
    assert store.observations(run_id) == observations
    assert store.run(run_id).done
    assert set(store.run(run_id).timings) >= {"fit", "acquire", "oracle"}


def test_without_an_optimizer_the_initial_candidates_are_all(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path, optimizer=None)
    assert len(solve(Quadratic(), store, run_id).observations) == 3


@pytest.mark.parametrize("optimizer", ["turbo", "local", "random"])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("calls", [1, 3, 5, 10])
def test_a_run_cut_short_ends_as_the_uninterrupted_one(tmp_path: Path, optimizer: str, batch: int, calls: int) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    store, run_id = stored(tmp_path / "whole", optimizer=optimizer, batch=batch)
    whole = solve(Quadratic(), store, run_id).observations

    class Killed(BaseException):
        pass

    class Dying(Quadratic):
        left = calls

        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return super().evaluate(task, candidate, best)

    store, run_id = stored(tmp_path / "cut", optimizer=optimizer, batch=batch)
    with pytest.raises(Killed):
        solve(Dying(), store, run_id)
    assert len(store.observations(run_id)) == calls
    log = tmp_path / "log"
    resumed = solve(Quadratic(log), store, run_id).observations
    assert [(o.candidate, o.value, o.source) for o in resumed] == [(o.candidate, o.value, o.source) for o in whole]
    assert len(log.read_text().splitlines()) == 12 - calls
    steps = store.steps(Stage.TRAIN)
    assert [(s.position, s.asked) for s in steps] == (
        [(3, 4), (7, 4), (11, 1)] if batch == 4 else [(i, 1) for i in range(3, 12)]
    )
    assert all(set(s.seconds) == {"fit", "acquire", "decode", "oracle"} and min(s.seconds.values()) >= 0 for s in steps)


def test_every_step_is_logged_and_the_steps_add_up(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path, batch=4)
    observations = solve(Quadratic(delay=0.001), store, run_id).observations
    times = step_times(store)["train"]
    assert {t.steps for t in times.values()} == {3}
    timings = store.run(run_id).timings
    for activity in ("fit", "acquire", "decode"):
        assert times[activity].total_seconds == pytest.approx(timings[activity])
    assert times["oracle"].total_seconds == pytest.approx(sum(o.seconds for o in observations[3:]))
    assert 0 < times["oracle"].median_ms <= times["oracle"].p90_ms
    assert timings["oracle"] == pytest.approx(sum(o.seconds for o in observations))


def test_a_step_whose_candidate_is_not_scored_yet_says_nothing_of_the_oracle(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path)

    class Killed(BaseException):
        pass

    class Dying(Quadratic):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            if len(store.observations(run_id)) == 4:
                raise Killed
            return super().evaluate(task, candidate, best)

    with pytest.raises(Killed):
        solve(Dying(), store, run_id)
    times = step_times(store)["train"]
    assert (times["acquire"].steps, times["oracle"].steps) == (2, 1)


@pytest.mark.parametrize(
    ("fail", "note"), [("nan", "the oracle answered nan"), ("raise", "ZeroDivisionError: broken oracle")]
)
def test_an_oracle_that_fails_is_recorded_and_the_run_goes_on(tmp_path: Path, fail: str, note: str) -> None:
    store, run_id = stored(tmp_path)
    observations = solve(Quadratic(fail=fail), store, run_id).observations
    assert len(observations) == 12
    assert {(o.status, o.note) for o in observations} == {(Status.FAILED, note)}


def test_an_oracle_out_of_order_stops_the_run_and_nothing_is_recorded(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path)
    with pytest.raises(OracleUnavailable, match="start it again"):
        solve(Quadratic(fail="gone"), store, run_id)
    assert store.observations(run_id) == ()
    assert len(solve(Quadratic(), store, run_id).observations) == 12


class Answers:
    """A domain of which only the oracle matters."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def evaluate(self, task: Task, candidate: str, best: float | None) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "status", "value"),
    [
        (1, Status.COMPLETE, 1.0),
        (Evaluation(2.0, Status.CENSORED), Status.CENSORED, 2.0),
        (Evaluation(2.0, Status.INFEASIBLE), Status.INFEASIBLE, math.nan),
        (Evaluation(math.inf, Status.CENSORED), Status.FAILED, math.nan),
        (float("-inf"), Status.FAILED, math.nan),
        ("many", Status.FAILED, math.nan),
        (None, Status.FAILED, math.nan),
        (InvalidCandidate("no"), Status.INFEASIBLE, math.nan),
    ],
)
def test_every_answer_becomes_an_observation(answer: object, status: Status, value: float) -> None:
    o = call_oracle(Answers(answer), TASK, "0 0 0", "bo", None)  # type: ignore[arg-type]
    assert o.status is status
    assert o.value == value or (math.isnan(o.value) and math.isnan(value))


def test_a_run_that_another_optimizer_began_is_one_clear_error(tmp_path: Path) -> None:
    store, run_id = stored(tmp_path)

    class Dying(Quadratic):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            if best is not None and candidate not in ("8 8 8", "15 0 15"):
                raise OracleUnavailable("gone")
            return super().evaluate(task, candidate, best)

    with pytest.raises(OracleUnavailable):
        solve(Dying(), store, run_id)
    kept = store.observations(run_id)
    for other in ("local", "random"):
        with pytest.raises(ConfigError, match=r"begun by another optimizer .*put back"):
            solve(
                Quadratic(), store, run_id, make=lambda run, n=other: make_optimizer(n, Quadratic().space(TASK), seed=0)
            )
    assert store.observations(run_id) == kept
    assert len(solve(Quadratic(), store, run_id).observations) == 12
