"""Optuna: boltbo's candidates as enqueued trials, and studies as finished runs of a campaign.

Candidates are text, trials have parameters: `optuna_parameters` says how the one becomes the other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.past_runs import ImportReport
from boltbo.errors import InvalidCandidate, InvalidRuns
from boltbo.integrations.optuna_parameters import Parameters, SlotParameters
from boltbo.problem import Observation, Status, Task, Trajectory
from boltbo.proposers import Proposer
from boltbo.spaces import Slots

__all__ = [
    "CANDIDATE", "Parameters", "SlotParameters", "StudyRun", "enqueue", "import_study", "read_study",
]  # fmt: skip

CANDIDATE = "boltbo:candidate"
"""The user attribute of an enqueued trial that holds its candidate."""


def enqueue(
    study: optuna.Study,
    proposer: Campaign | Proposer,
    task: Task,
    n: int,
    parameters: Parameters | None = None,
    *,
    seed: int = 0,
) -> list[str]:
    """Enqueue `n` candidates for a task as the study's next trials.

    Args:
        study: The study. Trials that it has with the same parameters are not enqueued again.
        proposer: A campaign (its current model, the initial design while there is none) or a proposer.
        task: The task.
        n: How many candidates to ask for.
        parameters: How a candidate becomes parameters; by default slot by slot, where the domain's space is a `Slots`.
        seed: Seed of a proposer's draws; a campaign uses its own.

    Returns:
        The candidates, in the order in which they will be tried; each is its trial's user attribute `CANDIDATE` too.

    Raises:
        TypeError: There are no `parameters` and the space is no `Slots`.
    """
    parameters = parameters or _ready_made(proposer, task)
    if isinstance(proposer, Campaign):
        candidates = proposer.propose(task, n)
    else:
        [proposals] = proposer.propose([task], n, seed)
        candidates = [candidate for candidate, _ in proposals]
    for candidate in candidates:
        study.enqueue_trial(parameters.parse(candidate), user_attrs={CANDIDATE: candidate}, skip_if_exists=True)
    return candidates


@dataclass(frozen=True, slots=True)
class StudyRun:
    """A study as a run, and how many trials were left out, by reason."""

    trajectory: Trajectory
    left_out: Mapping[str, int]


def read_study(
    study: optuna.Study,
    task: Task,
    parameters: Parameters | None = None,
    *,
    pruned: Literal["leave out", "bound"] = "leave out",
    skip_invalid: bool = False,
) -> StudyRun:
    """The trials of a study as observations, in their order; values of a study that maximizes change their sign.

    `COMPLETE` with a constraint above 0 is `infeasible`, `FAIL` is `failed`, and so is a value that is not finite.
    `RUNNING` and `WAITING` are left out.

    Args:
        study: A study with one objective.
        task: The task that it was about.
        parameters: Writes a trial's candidate; default: the candidate that `enqueue` left in its attributes.
        pruned: A pruned trial's last intermediate value is in general no bound on its final value, so by default it is
            left out. `bound`: it is one (intermediate values only get worse, as sums of times do); `censored` then.
        skip_invalid: Leave trials out whose parameters make no candidate, instead of refusing all.

    Raises:
        ValueError: The study has several objectives.
        InvalidRuns: The parameters of a trial make no candidate.
    """
    if len(study.directions) != 1:
        raise ValueError(f"study {study.study_name!r} has {len(study.directions)} objectives; boltbo knows runs of one")
    sign = -1.0 if study.direction is StudyDirection.MAXIMIZE else 1.0
    observations: list[Observation] = []
    left_out: Counter[str] = Counter()
    wrong: list[str] = []
    for trial in study.get_trials(deepcopy=False):
        try:
            observations.append(_observation(trial, sign, parameters, pruned))
        except _LeftOut as reason:
            left_out[str(reason)] += 1
        except InvalidCandidate as error:
            wrong.append(f"trial {trial.number}: {error}")
    if wrong and not skip_invalid:
        lines = "\n  ".join(wrong[:10])
        raise InvalidRuns(f"study {study.study_name!r}: {len(wrong)} trials make no candidate of the task:\n  {lines}")
    if wrong:
        left_out["its parameters make no candidate"] = len(wrong)
    return StudyRun(Trajectory(task, tuple(observations)), dict(left_out))


def import_study(
    campaign: Campaign,
    study: optuna.Study,
    task: Task,
    parameters: Parameters | None = None,
    *,
    how: Literal["add", "replace"] = "add",
    pruned: Literal["leave out", "bound"] = "leave out",
    skip_invalid: bool = False,
) -> tuple[ImportReport, Mapping[str, int]]:
    """Take a study in as a finished run of a campaign: see `read_study` and `Campaign.import_runs`.

    Returns:
        What was imported, and how many trials were left out, by reason.

    Raises:
        InvalidRuns: The parameters of a trial make no candidate of the task, or nothing may be imported for it.
    """
    if parameters is None and isinstance(space := campaign.domain.space(task), Slots):
        parameters = SlotParameters(space)
    run = read_study(study, task, parameters, pruned=pruned, skip_invalid=skip_invalid)
    return campaign.import_runs([run.trajectory], how, skip_invalid=skip_invalid), run.left_out


class _LeftOut(Exception):
    """Why a trial is no observation."""


def _observation(trial: FrozenTrial, sign: float, parameters: Parameters | None, pruned: str) -> Observation:
    value, status = trial.value if trial.state is TrialState.COMPLETE else None, Status.COMPLETE
    if trial.state is TrialState.PRUNED:
        if pruned == "leave out" or trial.last_step is None:
            raise _LeftOut("pruned: the last intermediate value is no bound on the final one")
        value, status = trial.intermediate_values[trial.last_step], Status.CENSORED
    elif trial.state is TrialState.FAIL or (value is not None and not math.isfinite(value)):
        value, status = None, Status.FAILED
    elif trial.state is not TrialState.COMPLETE:
        raise _LeftOut(f"{trial.state.name.lower()}: not finished")
    elif any(c > 0 for c in _constraints(trial)):
        value, status = None, Status.INFEASIBLE
    if value is not None and not math.isfinite(value):
        raise _LeftOut("pruned: the last intermediate value is not finite")
    seconds = trial.duration.total_seconds() if trial.duration is not None else 0.0
    return Observation(
        _candidate(trial, parameters), math.nan if value is None else sign * value, status, seconds, "import"
    )


def _candidate(trial: FrozenTrial, parameters: Parameters | None) -> str:
    """Return the candidate that the trial's parameters say: an objective may have changed what was enqueued.

    Without `parameters`, it is the candidate that `enqueue` left in the trial's attributes.
    """
    if parameters is None:
        if CANDIDATE not in trial.user_attrs:
            raise _LeftOut("no candidate: it was not enqueued by boltbo, and no parameters say how to write one")
        return str(trial.user_attrs[CANDIDATE])
    if not trial.params:  # failed or stopped before it suggested anything
        raise _LeftOut("no parameters")
    return parameters.write(trial.params)


def _constraints(trial: FrozenTrial) -> Sequence[float]:
    constraints = getattr(trial, "constraints", None)  # Optuna 5
    if constraints is None:
        return trial.system_attrs.get("constraints") or ()
    return list(constraints.values())


def _ready_made(proposer: Campaign | Proposer, task: Task) -> SlotParameters:
    domain = getattr(proposer, "domain", None)
    space = domain.space(task) if domain is not None else None
    if not isinstance(space, Slots):
        kind = type(space).__name__ if space is not None else f"that of a {type(proposer).__name__}"
        raise TypeError(f"say how a candidate becomes parameters: parameters=…; the space is no Slots but {kind}")
    return SlotParameters(space)
