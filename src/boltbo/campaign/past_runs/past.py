"""What is known of a task before a run's first oracle call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from boltbo.problem import Observation, Trajectory
from boltbo.storage import Stage, Storage


@dataclass(frozen=True, slots=True)
class Past:
    """The past of one task.

    Attributes:
        observations: The run begins with them; its optimizer is told them, and no budget counts them.
        scored: Candidates that are not scored again.
        replaces: Whether the observations stand in for the run's initial candidates.
    """

    observations: tuple[Observation, ...] = ()
    scored: Collection[str] = ()
    replaces: bool = False


def imported(storage: Storage) -> dict[str, Past]:
    """Task id -> all that was imported of it; the last import says how it counts."""
    runs = storage.runs(Stage.IMPORT)
    pasts: dict[str, Past] = {}
    for run, trajectory in zip(runs, storage.trajectories(runs), strict=True):
        earlier = pasts[run.task.id].observations if run.task.id in pasts else ()
        observations = (*earlier, *trajectory.observations)
        candidates = frozenset(o.candidate for o in observations)
        pasts[run.task.id] = Past(observations, candidates, run.options["how"] == "replace")
    return {task_id: past for task_id, past in pasts.items() if past.observations}


def solved_before(trajectories: Sequence[Trajectory]) -> dict[str, Past]:
    """Task id -> its best observation to begin with, and all that was scored or asked for, not to be paid twice."""
    return {
        x.task.id: Past(_best(x), {t for o in x.observations for t in (o.candidate, o.asked)}) for x in trajectories
    }


def _best(x: Trajectory) -> tuple[Observation, ...]:
    return () if x.best is None else (replace(x.best, seconds=0.0, source="import"),)


def own_calls(trajectory: Trajectory) -> Trajectory:
    """What a run's oracle answered, without the imports that the run began with."""
    return Trajectory(trajectory.task, tuple(o for o in trajectory.observations if o.source != "import"))
