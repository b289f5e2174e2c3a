"""The results of a campaign, read from its storage: Best@k of each round's model beside the default, the design and STBO.

For a validation task without any complete value among the first k, the bound of its censored ones stands in (the true
value is at least that), and the row counts it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from boltbo.campaign.intervals import interval
from boltbo.campaign.past_runs import own_calls
from boltbo.campaign.step_times import step_times
from boltbo.llm.service.journal import Journal
from boltbo.problem import Observation, Status, Trajectory
from boltbo.storage import ModelVersion, Stage, Storage

BEST_AT = (1, 10, 50, 100, 1000)


@dataclass(frozen=True, slots=True)
class Row:
    """One method on the validation tasks.

    Attributes:
        method: Its name.
        calls: Oracle calls for each task, at most.
        values: Task id -> best value.
        bounded: How many of `values` are only bounds.
        total: Sum of the values.
        ratio: Sum over the default's sum, where all values are positive.
        low, high: 95% bootstrap interval of `ratio` over tasks (of the mean value where there is no ratio).
        wins: Share of tasks with a value below the default's.
        typical: Geometric mean over tasks of value over default: unlike the sum, no single slow task decides it.
    """

    method: str
    calls: int
    values: Mapping[str, float]
    bounded: int
    total: float
    ratio: float
    low: float
    high: float
    wins: float
    typical: float


@dataclass(frozen=True, slots=True)
class Results:
    """A campaign's state and its table. `rows` is empty until the reference runs are done."""

    name: str
    domain: str
    tasks_done: int
    oracle_calls: int
    rows: Sequence[Row]
    seconds: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    models: Sequence[Mapping[str, Any]] = ()

    @classmethod
    def read(cls, store: Storage) -> Results:
        """Read the campaign that `store` is attached to."""
        with_names = store.row()
        train = store.runs(Stage.TRAIN)
        versions = {m.round: m for m in store.models()}
        columns = _columns(store, labels(store.models()))
        everyone = store.runs()
        seconds: dict[str, float] = {}
        for run in everyone:
            for key, value in run.timings.items():
                seconds[key] = seconds.get(key, 0.0) + value
        for version in versions.values():
            for key, value in version.metrics.items():
                if key.endswith("seconds"):
                    seconds[key] = seconds.get(key, 0.0) + float(value)
        return cls(
            name=with_names["name"],
            domain=with_names["domain"],
            tasks_done=sum(r.done for r in train),
            oracle_calls=store.count([r.id for r in everyone]),
            rows=_rows(columns),
            seconds=seconds,
            curves={m: {task: _curve(obs) for task, obs in by_task.items()} for m, _, by_task in columns},
            models=[{"round": m.round + 1, "tasks": len(m.tasks), **m.metrics} for m in versions.values()],
        )

    def row(self, method: str) -> Row:
        return next(r for r in self.rows if r.method == method)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


Column = tuple[str, int | None, dict[str, tuple[Observation, ...]]]
"""(method, index of its round, task id -> observations)"""


def labels(models: Sequence[ModelVersion]) -> dict[int, str]:
    """Round -> BOLT-T, with a + for each self-augmentation since the last task."""
    sizes = [len(m.tasks) for m in models]
    return {m.round: f"BOLT-{n}" + "+" * sizes[:i].count(n) for i, (m, n) in enumerate(zip(models, sizes, strict=True))}


def _columns(store: Storage, learnt: Mapping[int, str]) -> list[Column]:
    """The stored validation and reference runs that are done, each as one method."""
    columns: list[Column] = []
    reference = [r for r in store.runs(Stage.REFERENCE) if r.done]
    observed = {t.task.id: t.observations for t in store.trajectories(reference)}
    if reference:
        columns.append(("default", None, {task: _until(obs, {"default"}) for task, obs in observed.items()}))
        columns.append(("initial design", None, {k: _until(obs, {"default", "design"}) for k, obs in observed.items()}))
        columns.append(("STBO", None, observed))
    for t in sorted({r.round for r in store.runs(Stage.VALIDATE)}):
        runs = [r for r in store.runs(Stage.VALIDATE, t) if r.done]
        by_task = {x.task.id: x.observations for x in store.trajectories(runs)}
        columns.append((learnt.get(t, "BOLT-0"), t, by_task))
    return columns


def _rows(columns: Sequence[Column]) -> list[Row]:
    if not columns or columns[0][0] != "default":
        return []
    default = {task: value for task, obs in columns[0][2].items() if math.isfinite(value := _best(obs)[0])}
    rows = []
    for method, round_, by_task in columns:
        longest = max((len(obs) for obs in by_task.values()), default=0)
        cuts = sorted({k for k in BEST_AT if k < longest} | {longest}) if round_ is not None else [longest]
        for k in cuts:
            name = f"{method} Best@{k}" if round_ is not None else method
            rows.append(_row(name, k, {task: obs[:k] for task, obs in by_task.items()}, default))
    return rows


def _row(method: str, calls: int, by_task: Mapping[str, Sequence[Observation]], default: Mapping[str, float]) -> Row:
    best = {task: _best(obs) for task, obs in by_task.items() if task in default}
    values = {task: value for task, (value, _) in best.items()}
    mine = np.array([values[t] for t in values])
    base = np.array([default[t] for t in values])
    positive = bool(len(mine)) and bool((mine > 0).all() and (base > 0).all())
    statistic: Callable[[Any], Any] = (
        (lambda i: mine[i].sum(axis=-1) / base[i].sum(axis=-1)) if positive else (lambda i: mine[i].mean(axis=-1))
    )
    low, high = interval(statistic, len(mine))
    return Row(
        method, calls, values, sum(not exact for _, exact in best.values()), float(mine.sum()),
        float(statistic(slice(None))) if positive else math.nan, low, high,
        float((mine < base).mean()) if len(mine) else math.nan,
        float(np.exp(np.log(mine / base).mean())) if positive else math.nan,
    )  # fmt: skip


def _until(observations: Sequence[Observation], sources: set[str]) -> tuple[Observation, ...]:
    return tuple(o for o in observations if o.source in sources)


def _best(observations: Sequence[Observation]) -> tuple[float, bool]:
    """(lowest complete value, True); failing that (lowest bound, False); (infinity, False) if there is neither."""
    complete = [o.value for o in observations if o.complete]
    if complete:
        return min(complete), True
    return min((o.value for o in observations if o.status is Status.CENSORED), default=math.inf), False


def _curve(observations: Sequence[Observation]) -> list[float]:
    """The best after each call. A bound stands in only while nothing is complete."""
    values: list[float] = []
    bound = complete = math.inf
    for o in observations:
        if o.complete:
            complete = min(complete, o.value)
        elif o.status is Status.CENSORED:
            bound = min(bound, o.value)
        values.append(complete if math.isfinite(complete) else bound)
    return values


def progress_of(store: Storage) -> dict[str, Any]:
    """Where the campaign that `store` is attached to stands, as plain values."""
    campaign, runs = store.row(), store.runs()
    by_stage: dict[str, str] = {}
    statuses: Counter[str] = Counter()
    trajectories: list[Trajectory] = []
    imports = store.trajectories([r for r in runs if r.stage is Stage.IMPORT])
    for stage in Stage:
        of_stage = [r for r in runs if r.stage is stage and stage is not Stage.IMPORT]
        if of_stage:
            calls = store.count([r.id for r in of_stage])
            stage_trajectories = [own_calls(t) for t in store.trajectories(of_stage)]
            statuses.update(o.status.value for t in stage_trajectories for o in t.observations)
            trajectories += stage_trajectories
            by_stage[stage.value] = (
                f"{sum(r.done for r in of_stage)} of {len(of_stage)} runs done, {calls} oracle calls"
            )
    results = Results.read(store)
    paid = store.artifacts / "models" / "service-jobs.json"
    return {
        "name": campaign["name"],
        "domain": campaign["domain"],
        "begun": campaign["created"],
        "storage": store.url,
        "stages": by_stage,
        "observations": dict(statuses),
        "scored as asked": _as_asked(trajectories),
        "imported": {
            "tasks": len({t.task.id for t in imports}),
            "observations": sum(len(t.observations) for t in imports),
        },
        "models": [f"{label} (round {t + 1})" for t, label in labels(store.models()).items()],
        **({"service": asdict(Journal(paid).usage)} if paid.exists() else {}),
        "seconds": results.seconds,
        "steps": {
            stage: {activity: asdict(times) for activity, times in by_activity.items()}
            for stage, by_activity in step_times(store).items()
        },
    }


def _as_asked(trajectories: Sequence[Trajectory]) -> str:
    """How often the oracle scored the candidate that it was asked to, and the run in which it did so least."""
    worst = min(trajectories, key=lambda t: t.as_asked, default=None)
    calls = sum(len(t.observations) for t in trajectories)
    if worst is None or not calls:
        return "-"
    followed = calls - sum(bool(o.asked) for t in trajectories for o in t.observations)
    least = "" if followed == calls else f"; least {worst.as_asked:.1%}, of {worst.task.id}"
    return f"{followed / calls:.1%}{least}"
