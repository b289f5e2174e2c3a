"""The storage's door: what is kept of a campaign, and what every storage promises.

Whatever a method writes is durable when it returns: a process may be killed at any moment, and nothing that was paid for is
paid again. A run is written by one process at a time; any number of processes may read meanwhile. One storage object is
attached to one campaign, and may be opened by its `url` and `campaign_id` in any process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from boltbo.problem import Observation, Task, Trajectory


class Stage(StrEnum):
    """What a run is for."""

    TRAIN = "train"
    """A task of the campaign: its best solutions become training data."""
    AUGMENT = "augment"
    """Samples of a model for a task that it has learnt from: self-augmentation."""
    VALIDATE = "validate"
    """Samples of one round's model on a validation task, no optimizer (Best@k)."""
    REFERENCE = "reference"
    """STBO on a validation task: the domain's initial design, then the optimizer."""
    SINGLE = "single"
    """One task that somebody asked for (`boltbo optimize`)."""
    IMPORT = "import"
    """What was observed elsewhere of a task: no oracle call, training data all the same."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run on one task: its initial candidates, then `optimizer` up to `budget` oracle calls.

    Attributes:
        stage, round: What the run is for.
        task: What it solves.
        initial: (candidate, source) of its first candidates, fixed before the first oracle call.
        budget: Oracle calls in all; observations that the run began with are none.
        batch: Candidates that the optimizer asks for at a time.
        optimizer: Its name, or `module:Name`; None: the initial candidates are all.
        options: Of the optimizer; of an import, how it counts.
        seed: Of the optimizer.
        state: Where the optimizer stood at its last ask, and what it asked for.
        timings: Seconds by activity.
        done: Whether the run is at its end.
        id: Number that the storage gave it.
    """

    stage: Stage
    round: int
    task: Task
    initial: tuple[tuple[str, str], ...]
    budget: int
    batch: int = 1
    optimizer: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    state: Mapping[str, Any] | None = None
    timings: Mapping[str, float] = field(default_factory=dict)
    done: bool = False
    id: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a run's optimizer: tell what came last, ask for `asked` candidates, have them scored.

    Attributes:
        position: Of the first candidate's observation in the run.
        asked: How many candidates.
        seconds: By activity: the optimizer's own and, as far as they are recorded, the oracle's calls (`oracle`).
    """

    position: int
    asked: int
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """BOLT-T on disk, T = len(tasks)."""

    round: int
    path: str
    tasks: tuple[str, ...]
    metrics: Mapping[str, Any]


class Storage(Protocol):
    """One campaign in one storage. Cheap to open: worker processes open their own by `url` and `campaign_id`."""

    url: str
    campaign_id: int

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    # --- campaigns -------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The campaigns of this storage, the oldest first."""
        ...

    def find(self, name: str | None = None) -> Mapping[str, Any]:
        """Attach to the campaign `name` (or the only one) and return its row.

        Raises:
            StorageError: There is no such campaign, or several and no name was given.
        """
        ...

    def row(self) -> dict[str, Any]:
        """The row of the campaign that this storage is attached to: `name`, `domain`, `config`, `created`, `version`."""
        ...

    def attach(self, name: str, domain: str, config: Mapping[str, Any], version: str) -> None:
        """Find the campaign or begin it.

        Raises:
            CampaignMismatch: It was begun with another domain or other settings.
        """
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Hold the campaign against other processes.

        Raises:
            CampaignBusy: Another process holds it.
        """
        ...

    @property
    def artifacts(self) -> Path:
        """The folder for what is too large for a row: model versions, caches. Made if missing."""
        ...

    # --- runs ------------------------------------------------------------------------------------------------------

    def add_runs(self, runs: Iterable[Run], observed: Mapping[str, Sequence[Observation]] | None = None) -> None:
        """Add all of them or, if this process dies now, none.

        Args:
            runs: The runs.
            observed: Task id -> what its run begins with: observations made elsewhere, its first positions.
        """
        ...

    def runs(self, stage: Stage | None = None, round: int | None = None) -> list[Run]:
        """The runs of this campaign in the order they were added."""
        ...

    def run(self, run_id: int) -> Run: ...

    def checkpoint(self, run_id: int, state: Mapping[str, Any], step: Step | None = None) -> None:
        """Where the run's optimizer stands, and what this step took: after each `ask`, before its first oracle call."""
        ...

    def finish(self, run_id: int, timings: Mapping[str, float]) -> None:
        """The run is at its end: its optimizer's state is not needed any more."""
        ...

    def steps(self, stage: Stage) -> list[Step]:
        """Every step of the optimizers of this campaign's runs of one stage, each with its oracle calls so far."""
        ...

    def done(self, run_ids: Sequence[int]) -> set[int]:
        """Those of these runs that are at their end."""
        ...

    # --- observations ----------------------------------------------------------------------------------------------

    def record(self, run_id: int, position: int, o: Observation) -> None:
        """Write one observation; when this returns, it is on disk.

        Raises:
            StorageError: The disk is full, the file is gone, or the position is taken.
        """
        ...

    def observations(self, run_id: int) -> tuple[Observation, ...]:
        """The run's observations in order."""
        ...

    def trajectories(self, runs: Sequence[Run]) -> list[Trajectory]:
        """One trajectory for each run, in the same order."""
        ...

    def count(self, run_ids: Sequence[int]) -> int:
        """How many oracle calls these runs have made, all together; what was imported is none."""
        ...

    # --- model versions --------------------------------------------------------------------------------------------

    def add_model(self, version: ModelVersion) -> None:
        """Enter a model that is whole on disk."""
        ...

    def models(self) -> list[ModelVersion]:
        """The models of this campaign, the earliest round first."""
        ...
