"""Optuna, the real library: trials from boltbo, studies into boltbo."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the extra optuna")

import optuna
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.trial import TrialState

from boltbo import InvalidCandidate, Slots, Status
from boltbo.errors import InvalidRuns
from boltbo.integrations.optuna import CANDIDATE, SlotParameters, enqueue, import_study, read_study
from boltbo.proposers import InitialDesign
from boltbo.storage import Stage
from support.quadratic import Quadratic, make_tasks
from support.small_campaign import campaign

optuna.logging.set_verbosity(optuna.logging.WARNING)
[TASK] = make_tasks(1)
MIXED = Slots([["2", "4", "6"], ["red", "green"], ["01", "02"], ["3", "2"], ["7"]], separator=",")


def test_slots_become_integers_where_they_are_evenly_spaced_and_categories_else() -> None:
    parameters = SlotParameters(MIXED, ["size", "colour", "code", "down", "one"])
    assert parameters.distributions == {
        "size": IntDistribution(2, 6, step=2),
        "colour": CategoricalDistribution(("red", "green")),
        "code": CategoricalDistribution(("01", "02")),
        "down": CategoricalDistribution(("3", "2")),
        "one": CategoricalDistribution(("7",)),
    }
    params = parameters.parse("4,green,01,2,7")
    assert params == {"size": 4, "colour": "green", "code": "01", "down": "2", "one": "7"}
    assert parameters.write({**params, "other": 1}) == "4,green,01,2,7"
    for wrong, message in [({}, "no parameter 'size'"), ({**params, "size": 5}, "symbol 0 is '5'")]:
        with pytest.raises(InvalidCandidate, match=message):
            parameters.write(wrong)
    for names in (["a"], ["a"] * 5):
        with pytest.raises(ValueError, match="5 slots need as many distinct names"):
            SlotParameters(MIXED, names)


def test_a_study_tries_a_campaigns_proposals_and_comes_back_as_a_finished_run(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    task = c.tasks[0]
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    candidates = enqueue(study, c, task, 4)
    assert candidates == c.propose(task, 4)
    enqueue(study, c, task, 4)  # nothing twice
    parameters = SlotParameters(Quadratic().space(task))
    study.optimize(lambda trial: Quadratic().evaluate(task, parameters.suggest(trial), None), n_trials=7)
    assert len(study.trials) == 7
    assert [t.user_attrs.get(CANDIDATE) for t in study.trials] == [*candidates, None, None, None]

    report, left_out = import_study(c, study, task, how="replace")
    assert (report.tasks, left_out) == (1, {})
    [run] = c.storage.runs(Stage.IMPORT)
    observations = c.storage.observations(run.id)
    assert [o.candidate for o in observations[:4]] == candidates
    assert len(observations) == report.observations
    assert all(o.value == Quadratic().evaluate(task, o.candidate, None) for o in observations)
    assert all(o.seconds > 0 and o.source == "import" for o in observations)


def test_every_state_is_told_apart() -> None:
    parameters = SlotParameters(Quadratic().space(TASK))
    study = optuna.create_study(direction="maximize")

    def add(candidate: str, state: TrialState, value: float | None = None, **more: object) -> None:
        params = parameters.parse(candidate)
        trial = optuna.create_trial(
            state=state, value=value, params=params, distributions=parameters.distributions, **more
        )  # type: ignore[arg-type]
        study.add_trial(trial)

    add("0 0 0", TrialState.COMPLETE, 5.0)
    add("0 0 1", TrialState.FAIL)
    add("0 0 2", TrialState.PRUNED, intermediate_values={0: 1.0, 3: 2.5})
    add("0 0 3", TrialState.RUNNING)
    add("0 0 4", TrialState.COMPLETE, math.inf)
    add("0 0 5", TrialState.COMPLETE, 6.0, system_attrs={"constraints": [-1.0, 0.5]})
    add("0 0 6", TrialState.COMPLETE, 7.0, system_attrs={"constraints": [-1.0, 0.0]})
    study.enqueue_trial(parameters.parse("0 0 7"))
    run = read_study(study, TASK, parameters)
    found = [(o.candidate[-1], o.status, o.value) for o in run.trajectory.observations]
    assert str(found) == str(
        [
            ("0", Status.COMPLETE, -5.0),
            ("1", Status.FAILED, math.nan),
            ("4", Status.FAILED, math.nan),
            ("5", Status.INFEASIBLE, math.nan),
            ("6", Status.COMPLETE, -7.0),
        ]
    )
    assert run.left_out == {
        "pruned: the last intermediate value is no bound on the final one": 1,
        "running: not finished": 1,
        "waiting: not finished": 1,
    }
    bounded = read_study(study, TASK, parameters, pruned="bound")
    assert ("0 0 2", Status.CENSORED, -2.5) in [
        (o.candidate, o.status, o.value) for o in bounded.trajectory.observations
    ]
    assert sum(bounded.left_out.values()) == 2


def test_what_makes_no_candidate_is_named_or_left_out(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    study = optuna.create_study(study_name="old")
    study.add_trial(optuna.create_trial(value=1.0, params={"x0": 3}, distributions={"x0": IntDistribution(0, 99)}))
    with pytest.raises(InvalidRuns, match=r"'old': 1 trials make no candidate(.|\n)*trial 0: .*no parameter 'x1'"):
        import_study(c, study, c.tasks[0])
    assert import_study(c, study, c.tasks[0], skip_invalid=True)[1] == {"its parameters make no candidate": 1}
    several = optuna.create_study(directions=["minimize", "minimize"])
    with pytest.raises(ValueError, match="has 2 objectives"):
        import_study(c, several, c.tasks[0])
    assert c.storage.runs() == []


class Own:
    """A mapping of the user's: three letters as one category."""

    def parse(self, candidate: str) -> dict[str, str]:
        return {"all": candidate.replace(" ", "-")}

    def write(self, params: dict[str, str]) -> str:
        return params["all"].replace("-", " ")


def test_a_mapping_of_the_users_own_and_a_proposer_without_a_campaign() -> None:
    study = optuna.create_study()
    candidates = enqueue(study, InitialDesign(Quadratic()), TASK, 3, Own(), seed=5)  # type: ignore[arg-type]
    choices = [c.replace(" ", "-") for c in candidates]
    study.optimize(lambda trial: float(trial.suggest_categorical("all", choices) == choices[1]), n_trials=3)
    for parameters in (Own(), None):  # without a mapping the trials' own candidates serve
        run = read_study(study, TASK, parameters)  # type: ignore[arg-type]
        assert [(o.candidate, o.value) for o in run.trajectory.observations] == list(
            zip(candidates, (0, 1, 0), strict=True)
        )


def test_without_slots_a_mapping_is_asked_for() -> None:
    class Words(Quadratic):
        def space(self, task: object) -> object:  # type: ignore[override]
            return object()

    with pytest.raises(TypeError, match="parameters="):
        enqueue(optuna.create_study(), InitialDesign(Words()), TASK, 3)
