"""All that the page of a campaign says, read from its storage."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boltbo.campaign.past_runs import own_calls
from boltbo.campaign.results import Results, labels
from boltbo.problem import Observation, Status, Task, Trajectory
from boltbo.storage import ModelVersion, Run, Stage, Storage

DEFAULT, DESIGN, STBO, FOUND = "default", "initial design", "STBO", "found"
"""Methods, beside the labels of the models; `found` is the best of a training task's run"""


@dataclass(frozen=True, slots=True)
class TaskSummary:
    """What became of one task.

    Attributes:
        task: The task.
        best: Method -> the best complete observation; where there is none the lowest bound; no entry without any value.
        curves: Method -> the best value after each oracle call.
    """

    task: Task
    best: Mapping[str, Observation]
    curves: Mapping[str, Sequence[float]]

    def value(self, method: str) -> float:
        """The best complete value; NaN where there is none."""
        best = self.best.get(method)
        return best.value if best is not None and best.complete else math.nan

    @property
    def lowest(self) -> Observation | None:
        """The best of all methods."""
        return min((o for o in self.best.values() if o.complete), key=lambda o: o.value, default=None)

    @property
    def gain(self) -> float:
        """The best value over the default's; NaN where that says nothing."""
        before, after = self.value(DEFAULT), math.nan if self.lowest is None else self.lowest.value
        return after / before if before > 0 and after > 0 else math.nan


@dataclass(frozen=True, slots=True)
class Progress:
    """One stage of one round: how many of its runs are done, and how many oracle calls they have made."""

    stage: Stage
    round: int
    done: int
    runs: int
    calls: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """One campaign.

    Attributes:
        row: The campaign's row in the storage.
        results: What `boltbo report` prints.
        progress: Stage by stage, in the order in which they began.
        statuses: (source, status) -> oracle calls.
        seconds: Activity -> seconds of all workers together.
        validation: The validation tasks, with all finished runs on them.
        training: Round -> its training tasks with finished runs.
        models: The versions, in order, and what they are called.
    """

    row: Mapping[str, Any]
    results: Results
    progress: Sequence[Progress]
    statuses: Mapping[tuple[str, str], int]
    seconds: Mapping[str, float]
    validation: Sequence[TaskSummary]
    training: Mapping[int, Sequence[TaskSummary]]
    models: Sequence[tuple[str, ModelVersion]]

    @classmethod
    def read(cls, store: Storage) -> Gathered:
        """Read the campaign that `store` is attached to, finished or not."""
        runs = [r for r in store.runs() if r.stage is not Stage.IMPORT]
        pairs = [(r, own_calls(t)) for r, t in zip(runs, store.trajectories(runs), strict=True)]
        versions, names = store.models(), labels(store.models())
        return cls(
            row=store.row(),
            results=Results.read(store),
            progress=_progress(pairs),
            statuses=Counter((o.source, o.status.value) for _, t in pairs for o in t.observations),
            seconds=_seconds(pairs, versions),
            validation=_validation(pairs, names),
            training=_training(pairs),
            models=[(names[v.round], v) for v in versions],
        )

    @property
    def learnt(self) -> list[str]:
        """The models that have been validated, in order."""
        return list(dict.fromkeys(r.method.rpartition(" Best@")[0] for r in self.results.rows if "@" in r.method))


Pairs = Sequence[tuple[Run, Trajectory]]


def _progress(pairs: Pairs) -> list[Progress]:
    groups: dict[tuple[int, Stage], list[tuple[Run, Trajectory]]] = {}
    for run, trajectory in pairs:
        groups.setdefault((run.round, run.stage), []).append((run, trajectory))
    return [
        Progress(stage, t, sum(r.done for r, _ in group), len(group), sum(len(x.observations) for _, x in group))
        for (t, stage), group in groups.items()
    ]


def _seconds(pairs: Pairs, versions: Iterable[ModelVersion]) -> dict[str, float]:
    """What was spent on what. Unfinished runs count their oracle calls."""
    spent: defaultdict[str, float] = defaultdict(float)
    for run, trajectory in pairs:
        sampled = any(source == "llm" for _, source in run.initial)
        for activity, value in run.timings.items():
            name = "sampling" if sampled else "initial design"
            spent[name if activity == "propose" else activity] += value
        if not run.done:
            spent["oracle"] += sum(o.seconds for o in trajectory.observations)
    for version in versions:
        spent["fine-tuning"] += float(version.metrics.get("fit_seconds", 0.0))
        spent["pretraining"] += float(version.metrics.get("pretraining_seconds", 0.0))
    return dict(spent)


def _validation(pairs: Pairs, names: Mapping[int, str]) -> list[TaskSummary]:
    tasks: dict[str, Task] = {}
    seen: dict[str, dict[str, tuple[Observation, ...]]] = {}
    for run, trajectory in sorted(pairs, key=lambda pair: pair[0].round):
        if not run.done or run.stage not in (Stage.REFERENCE, Stage.VALIDATE):
            continue
        of_task, all_of = seen.setdefault(run.task.id, {}), trajectory.observations
        tasks[run.task.id] = run.task
        if run.stage is Stage.REFERENCE:
            of_task[DEFAULT] = tuple(o for o in all_of if o.source == "default")
            of_task[DESIGN] = tuple(o for o in all_of if o.source in ("default", "design"))
            of_task[STBO] = all_of
        else:
            of_task[names.get(run.round, "BOLT-0")] = all_of
    return [_summary(tasks[task], by_method) for task, by_method in seen.items()]


def _training(pairs: Pairs) -> dict[int, list[TaskSummary]]:
    rounds: dict[int, list[TaskSummary]] = {}
    for run, trajectory in pairs:
        if run.done and run.stage is Stage.TRAIN:
            default = tuple(o for o in trajectory.observations if o.source == "default")
            summary = _summary(run.task, {DEFAULT: default, FOUND: trajectory.observations})
            rounds.setdefault(run.round, []).append(summary)
    return dict(sorted(rounds.items()))


def _summary(task: Task, observed: Mapping[str, Sequence[Observation]]) -> TaskSummary:
    best = {method: o for method, observations in observed.items() if (o := _best(observations)) is not None}
    curves = {
        m: Trajectory(task, tuple(observations)).best_values()
        for m, observations in observed.items()
        if m not in (DEFAULT, DESIGN)
    }
    return TaskSummary(task, best, curves)


def _best(observations: Sequence[Observation]) -> Observation | None:
    with_value = [o for o in observations if o.status in (Status.COMPLETE, Status.CENSORED)]
    return min(with_value, key=lambda o: (not o.complete, o.value), default=None)
