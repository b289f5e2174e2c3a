"""One run on one task: the initial candidates, then a single-task optimizer up to the budget.

Each observation is on disk before the next oracle call, and where the optimizer stood is on disk before the first call of
each batch. `solve` therefore serves as well to begin a run as to go on with one that a kill cut short: it skips what is
recorded, restores the optimizer and asks for nothing twice.

A run may begin with imported observations, or with the best of earlier runs, stored before its first call: the optimizer is
told them, and neither the budget nor the seconds of the oracle count them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from threadpoolctl import threadpool_limits

from boltbo.campaign.oracle import best_value, call_oracle
from boltbo.domain import Constrained, Domain
from boltbo.errors import ConfigError
from boltbo.optimizers import Optimizer, make_optimizer
from boltbo.problem import Observation, Trajectory
from boltbo.storage import Run, Step, Storage, open_storage

Score = Callable[[str, str], None]
"""Calls the oracle for (candidate, source)"""

Make = Callable[[Run], Optimizer]
"""An optimizer that knows nothing yet, for a run"""


def solve(
    domain: Domain,
    store: Storage,
    run_id: int,
    *,
    on_call: Callable[[], None] | None = None,
    make: Make | None = None,
) -> Trajectory:
    """Bring one stored run to its end.

    Args:
        domain: Domain that scores the candidates.
        store: Storage that holds the run and receives every observation.
        run_id: Id of the run.
        on_call: Called after each oracle call (progress).
        make: Makes the optimizer of the run, where its name does not say which.

    Raises:
        OracleUnavailable: The oracle is out of order; call again later, nothing is lost.
        ConfigError: The run was begun by another optimizer than goes on with it.
    """
    run = store.run(run_id)
    observations = list(store.observations(run_id))
    if run.done:
        return Trajectory(run.task, tuple(observations))

    def score(candidate: str, source: str) -> None:
        observation = call_oracle(domain, run.task, candidate, source, best_value(observations))
        store.record(run_id, len(observations), observation)
        observations.append(observation)
        if on_call is not None:
            on_call()

    imported = sum(o.source == "import" for o in observations)
    for candidate, source in run.initial[len(observations) - imported : run.budget]:
        score(candidate, source)
    timings = dict(run.timings)
    if run.optimizer is not None and run.budget > len(run.initial):
        timings |= _optimize(domain, store, run, observations, score, imported + run.budget, make)
    timings["oracle"] = sum(o.seconds for o in observations[imported:])
    store.finish(run_id, timings)
    return Trajectory(run.task, tuple(observations))


def solve_stored(domain: Domain, url: str, campaign_id: int, run_id: int, make: Make | None = None) -> None:
    """`solve` in a process of its own, which opens the storage itself."""
    with open_storage(url, campaign_id) as store:
        solve(domain, store, run_id, make=make)


def optimizer_of(domain: Domain, optimizer: str | Callable[..., Optimizer], run: Run) -> Optimizer:
    """A run's optimizer, which knows nothing yet; `optimizer` is a name, or a class or function of the user's."""
    feasible = partial(domain.feasible, run.task) if isinstance(domain, Constrained) else None
    return make_optimizer(optimizer, domain.space(run.task), seed=run.seed, feasible=feasible, **run.options)


def _optimize(
    domain: Domain,
    store: Storage,
    run: Run,
    observations: list[Observation],
    score: Score,
    end: int,
    make: Make | None,
) -> dict[str, float]:
    """Ask, checkpoint, score, tell, until there are `end` observations or the optimizer has nothing new to ask."""
    assert run.optimizer is not None
    optimizer = optimizer_of(domain, run.optimizer, run) if make is None else make(run)
    told, asked = len(observations), list[str]()
    spent: Mapping[str, float] = {}
    if run.state is None:
        optimizer.tell(observations)
    else:
        told, asked = int(run.state["told"]), list(run.state["asked"])
        try:
            optimizer.restore(run.state["optimizer"], observations[:told])
        except ValueError as error:
            raise ConfigError(
                f"the run on {run.task.id} was begun by another optimizer ({error}): put back `[run] optimizer`, or the"
                " domain's `space`"
            ) from error
        spent = dict(optimizer.timings)
    # small matrices: threads cost more than they give, and oracles want the cores. Only now: a limit does not reach
    # libraries that are loaded after it
    with threadpool_limits(1):
        while True:
            for candidate in asked[len(observations) - told :]:
                score(candidate, "bo")
            if asked:
                optimizer.tell(observations[told:])
                told = len(observations)
            asked = optimizer.ask(min(run.batch, end - told)) if told < end else []
            if not asked:
                return dict(optimizer.timings)
            state = {"asked": asked, "told": told, "optimizer": optimizer.state()}
            step = Step(told, len(asked), {k: v - spent.get(k, 0.0) for k, v in optimizer.timings.items()})
            spent = dict(optimizer.timings)
            store.checkpoint(run.id, state, step)
