"""What a run knows of its task before its first oracle call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from boltbo.problem import Observation, Task, Trajectory
from boltbo.proposers.base import Progress, Proposal, Proposer
from boltbo.storage import Stage, Storage


@dataclass(frozen=True, slots=True)
class Known:
    """What was imported of one task, and whether it stands in for the initial candidates (`replace`) or not (`add`)."""

    observations: tuple[Observation, ...] = ()
    replaces: bool = False


def known_of(store: Storage) -> dict[str, Known]:
    """Task id -> all that was imported of it; the last import says how it counts."""
    runs = store.runs(Stage.IMPORT)
    found: dict[str, Known] = {}
    for run, trajectory in zip(runs, store.trajectories(runs), strict=True):
        earlier = found[run.task.id].observations if run.task.id in found else ()
        found[run.task.id] = Known((*earlier, *trajectory.observations), run.options["how"] == "replace")
    return {task: known for task, known in found.items() if known.observations}


def own_calls(trajectory: Trajectory) -> Trajectory:
    """What a run's oracle answered, without the imports that the run began with."""
    return Trajectory(trajectory.task, tuple(o for o in trajectory.observations if o.source != "import"))


def best_known(solved: Sequence[Trajectory]) -> dict[str, tuple[Observation, ...]]:
    """Task id -> its best observation, as one that a further run on the task begins with."""
    return {x.task.id: (replace(x.best, seconds=0.0, source="import"),) for x in solved if x.best is not None}


class Unimported:
    """A proposer's candidates less those imported; none for a task whose imports replace them, which it is not asked for."""

    def __init__(self, proposer: Proposer, known: Mapping[str, Known]) -> None:
        self.proposer = proposer
        self.known = known

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        asked = [task for task in tasks if not self.known.get(task.id, Known()).replaces]
        found = self.proposer.propose(asked, n, seed, progress) if asked else []
        by_task = {task.id: proposals for task, proposals in zip(asked, found, strict=True)}
        seen = {task.id: {o.candidate for o in self.known.get(task.id, Known()).observations} for task in tasks}
        return [[p for p in by_task.get(task.id, []) if p[0] not in seen[task.id]] for task in tasks]
