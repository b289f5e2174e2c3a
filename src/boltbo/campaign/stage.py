"""The runs of one stage: first candidates for many tasks, stored before the first oracle call, then each run to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from boltbo.campaign.run import Make, solve, solve_stored
from boltbo.domain import Constrained, Domain
from boltbo.engines import make_engine
from boltbo.problem import Observation, Task
from boltbo.proposers import Proposal, Proposer, seed_of
from boltbo.storage import Run, Storage, calls_made
from boltbo.system.progress import Bars, Update

TOGETHER = 64
"""Tasks whose first candidates are asked for, and then stored, at a time: what a slow model wrote outlives a kill."""


def solve_all(
    store: Storage,
    domain: Domain,
    tasks: Sequence[Task],
    proposer: Callable[[], Proposer],
    like: Run,
    *,
    initial: int,
    workers: int,
    bars: Bars,
    begun: Mapping[str, Sequence[Observation]] | None = None,
    make: Make | None = None,
) -> None:
    """Make the runs of a stage and round, if they are not stored yet, and bring them to their end.

    Args:
        store: Holds the campaign that the runs are of.
        domain: Scores the candidates.
        tasks: One run for each.
        proposer: Made only where some run is new: it may have a model to load.
        like: Stage, round, budget, batch and optimizer of the runs, and the seed that theirs are made of.
        initial: First candidates of a run, at most.
        workers: Runs at a time.
        bars: Progress.
        begun: Task id -> observations made elsewhere, with which its run begins.
        make: Makes the runs' optimizers, where these are no built-in ones; then one run after the other, here.

    Raises:
        OracleUnavailable: The oracle is out of order; nothing is lost, call again.
    """
    stage, t = like.stage, like.round
    known = {r.task.id for r in store.runs(stage, t)}
    new = [task for task in tasks if task.id not in known]
    if new:
        _ask(store, domain, new, proposer(), like, initial, bars, begun)
    wanted = {task.id for task in tasks}
    runs = [r for r in store.runs(stage, t) if r.task.id in wanted]
    ids = [r.id for r in runs]
    total = sum(r.budget if r.optimizer else len(r.initial) for r in runs)
    job: Callable[[int], object] = partial(solve_stored, domain, store.url, store.campaign_id)
    if make is not None:
        job, workers = partial(solve, domain, store, make=make), 1
    with bars.track(f"{stage.value} round {t + 1}: oracle calls", total) as update:
        todo = [r.id for r in runs if not r.done]
        calls = calls_made(store, ids)
        for _ in make_engine(workers=workers).map(job, todo, lambda: update(calls(), total)):
            pass


def _ask(
    store: Storage,
    domain: Domain,
    tasks: Sequence[Task],
    proposer: Proposer,
    like: Run,
    initial: int,
    bars: Bars,
    begun: Mapping[str, Sequence[Observation]] | None,
) -> None:
    """Storage a run for each task with its first candidates."""
    label = f"{like.stage.value} round {like.round + 1}: first candidates"
    with bars.track(label, len(tasks)) as update:
        for at in range(0, len(tasks), TOGETHER):
            part, began = tasks[at : at + TOGETHER], time.perf_counter()
            told = partial(_told, update, at, len(tasks))
            proposals = proposer.propose(part, min(initial, like.budget), like.seed, told)
            timed = replace(like, timings={"propose": (time.perf_counter() - began) / len(part)})
            store.add_runs(
                [_filled(timed, task, feasible(domain, task, p)) for task, p in zip(part, proposals, strict=True)],
                begun,
            )
            update(at + len(part), len(tasks))


def _told(update: Update, earlier: int, total: int, done: int, _: int) -> None:
    update(earlier + done, total)


def feasible(domain: Domain, task: Task, proposals: Sequence[Proposal]) -> Sequence[Proposal]:
    """Those that the domain does not forbid, as far as it can tell without the oracle."""
    return [p for p in proposals if domain.feasible(task, p[0])] if isinstance(domain, Constrained) else proposals


def _filled(like: Run, task: Task, proposals: Sequence[Proposal]) -> Run:
    return replace(like, task=task, initial=tuple(proposals), seed=seed_of(like.seed, "optimizer", task.id))
