"""Imports on disk: for each task one finished run without a single oracle call, all of a file or nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boltbo.campaign.past_runs.check import check, raise_if_wrong
from boltbo.campaign.past_runs.past import imported
from boltbo.campaign.past_runs.rows import rows_of
from boltbo.domain import Domain
from boltbo.problem import Observation, Task, Trajectory
from boltbo.storage import Run, Stage, Storage

How = Literal["add", "replace"]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an import.

    Attributes:
        tasks: Tasks of which something is new.
        observations: New observations.
        repeated: Rows that were imported before, or stand there twice.
        begun: Tasks whose run had begun already: a model learns from these observations, that run goes on without.
        skipped: What was wrong with each row that was left out.
    """

    tasks: int
    observations: int
    repeated: int = 0
    begun: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def record(
    store: Storage,
    domain: Domain,
    tasks: Sequence[Task],
    validation: Sequence[Task],
    source: str | Path | Sequence[Trajectory],
    how: How,
    skip_invalid: bool,
) -> ImportReport:
    """See `Campaign.import_runs`; the caller holds the campaign."""
    if how not in ("add", "replace"):
        raise ValueError(f"how must be 'add' or 'replace', got {how!r}")
    rows = rows_of(source)
    runs = store.runs(Stage.IMPORT)
    known_tasks = {t.id: t for t in [*(r.task for r in runs), *tasks]}
    checked = check(rows, domain, known_tasks, validation)
    if not skip_invalid:
        raise_if_wrong(str(source) if isinstance(source, str | Path) else "the trajectories", checked, len(rows))

    earlier = imported(store)
    new: dict[str, list[Observation]] = {}
    added: list[Run] = []
    for task_id, observations in checked.observations.items():
        past = earlier.get(task_id)
        seen = {_key(o) for o in past.observations} if past else set()
        new[task_id] = [o for key, o in {_key(o): o for o in reversed(observations)}.items() if key not in seen][::-1]
        if new[task_id] or (past and past.replaces != (how == "replace")):
            nth = sum(r.task.id == task_id for r in runs)
            task = checked.tasks[task_id]
            added.append(Run(Stage.IMPORT, nth, task, (), budget=0, options={"how": how}, done=True))
    store.add_runs(added, new)
    total = sum(map(len, new.values()))
    begun = {r.task.id for stage in (Stage.TRAIN, Stage.SINGLE) for r in store.runs(stage)} & set(new)
    return ImportReport(
        sum(map(bool, new.values())),
        total,
        sum(map(len, checked.observations.values())) - total,
        tuple(sorted(begun)),
        tuple(checked.wrong),
    )


def _key(o: Observation) -> tuple[str, str, float | None]:
    return o.candidate, o.status.value, None if math.isnan(o.value) else o.value
