"""A stage: runs of one kind on many tasks, each stored with its first candidates, then brought to its end.

This is the only way to make runs: the campaign, the peptide command and the laboratory all say what they want as a
`StageSpec`. From the sampler to the storage a candidate passes three hands: the proposer, `_first_candidates`, the storage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from boltbo.campaign.past_runs.past import Past
from boltbo.campaign.run import Make, solve, solve_stored
from boltbo.domain import Constrained, Domain
from boltbo.engines import Engine
from boltbo.problem import Task
from boltbo.proposers.base import Proposal, Proposer, seed_of
from boltbo.storage import Run, Stage, Storage, calls_made
from boltbo.system.progress import Bars, Update

TOGETHER = 64
"""Tasks whose first candidates are asked for, and then stored, at a time: what a slow model wrote outlives a kill."""

TICK_S = 0.3
"""Seconds between two looks at how many oracle calls were made, which the storage has to count"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """What a stage asks for.

    Attributes:
        stage, round: What the runs are for; a task has one run of each stage and round.
        tasks: One run for each.
        proposer: Makes what gives the first candidates; called only where some run is new, since it may load a model.
        seed: Seed from which those of the proposer and of the runs are made.
        initial: First candidates of a run, at most.
        budget: Oracle calls of a run, its first candidates included.
        batch: Candidates that the optimizer asks for at a time.
        optimizer: Its name, or `module:Name`; None: the first candidates are all.
        make: Makes the optimizers, where `optimizer` only tells what they are called.
        past: Task id -> what is known of it already.
        asked: Candidates that the proposer is asked for, more than `initial` where many may have been scored before.
    """

    stage: Stage
    round: int
    tasks: Sequence[Task]
    proposer: Callable[[], Proposer]
    seed: int
    initial: int
    budget: int
    batch: int = 1
    optimizer: str | None = None
    make: Make | None = None
    past: Mapping[str, Past] = field(default_factory=dict)
    asked: int = 0

    @property
    def label(self) -> str:
        """What the stage is called in a progress bar."""
        return f"{self.stage.value} round {self.round + 1}"


def run_stage(spec: StageSpec, storage: Storage, domain: Domain, engine: Engine, bars: Bars) -> list[Run]:
    """Make the runs of a stage, if they are not stored yet, and bring them to their end.

    Args:
        spec: The stage.
        storage: Storage of the campaign.
        domain: Domain that scores the candidates.
        engine: Where the runs happen.
        bars: Progress bars.

    Returns:
        The runs, in the order of the tasks.

    Raises:
        OracleUnavailable: The oracle is out of order; nothing is lost, call again.
        ConfigError: A run was begun by another optimizer than goes on with it.
    """
    stored = {r.task.id for r in storage.runs(spec.stage, spec.round)}
    _begin(spec, [task for task in spec.tasks if task.id not in stored], storage, domain, bars)
    runs = {r.task.id: r for r in storage.runs(spec.stage, spec.round)}
    of_spec = [runs[task.id] for task in spec.tasks]
    _finish(spec, of_spec, storage, domain, engine, bars)
    return of_spec


def _begin(spec: StageSpec, tasks: Sequence[Task], storage: Storage, domain: Domain, bars: Bars) -> None:
    """Store a run for each task with its first candidates."""
    if not tasks:
        return
    proposer = spec.proposer()
    with bars.track(f"{spec.label}: first candidates", len(tasks)) as update:
        for at in range(0, len(tasks), TOGETHER):
            part, began = tasks[at : at + TOGETHER], time.perf_counter()
            candidates = _first_candidates(spec, part, proposer, domain, partial(_told, update, at, len(tasks)))
            timings = {"propose": (time.perf_counter() - began) / len(part)}
            storage.add_runs(
                [
                    Run(
                        spec.stage, spec.round, task, tuple(candidates.get(task.id, ())), spec.budget, spec.batch,
                        spec.optimizer, seed=seed_of(spec.seed, "optimizer", task.id), timings=timings,
                    )
                    for task in part
                ],
                {task_id: past.observations for task_id, past in spec.past.items()},
            )  # fmt: skip
            update(at + len(part), len(tasks))


def _told(update: Update, earlier: int, total: int, done: int, _: int) -> None:
    update(earlier + done, total)


def _first_candidates(
    spec: StageSpec, tasks: Sequence[Task], proposer: Proposer, domain: Domain, progress: Update
) -> dict[str, list[Proposal]]:
    """Task id -> what is scored first: what is proposed, less what was scored before and what the domain forbids."""
    n, nothing = min(spec.initial, spec.budget), Past()
    asked = [task for task in tasks if not spec.past.get(task.id, nothing).replaces]
    lists = proposer.propose(asked, spec.asked or n, spec.seed, progress) if asked else []
    first: dict[str, list[Proposal]] = {}
    for task, proposals in zip(asked, lists, strict=True):
        scored = spec.past.get(task.id, nothing).scored
        first[task.id] = [p for p in feasible(domain, task, proposals) if p[0] not in scored][:n]
    return first


def feasible(domain: Domain, task: Task, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """Those that the domain does not forbid, as far as it can tell without the oracle."""
    return [p for p in proposals if domain.feasible(task, p[0])] if isinstance(domain, Constrained) else proposals


def _finish(spec: StageSpec, runs: Sequence[Run], storage: Storage, domain: Domain, engine: Engine, bars: Bars) -> None:
    """Bring the runs to their end."""
    ids = [r.id for r in runs]
    total = sum(r.budget if r.optimizer else len(r.initial) for r in runs)
    with bars.track(f"{spec.label}: oracle calls", total) as update:
        calls, looked = calls_made(storage, ids), time.monotonic()

        def tick(now: bool = False) -> None:
            nonlocal looked
            if now or time.monotonic() - looked > TICK_S:
                looked = time.monotonic()
                update(calls(), total)

        job: Callable[[int], object] = partial(solve_stored, domain, storage.url, storage.campaign_id, make=spec.make)
        if engine.in_process:
            job = partial(solve, domain, storage, make=spec.make, on_call=tick)
        for _ in engine.map(job, [r.id for r in runs if not r.done], tick):
            pass
        tick(now=True)
