"""The public verbs: make a campaign, run it, ask it for candidates, solve one more task, take in earlier runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from boltbo._version import __version__
from boltbo.campaign.models import ModelVersions
from boltbo.campaign.parts import Parts
from boltbo.campaign.past_runs import ImportReport, record
from boltbo.campaign.results import Results
from boltbo.campaign.rounds import run_rounds
from boltbo.campaign.run import Make, optimizer_of
from boltbo.campaign.stage import feasible
from boltbo.domain import Domain
from boltbo.engines import Engine, make_engine
from boltbo.llm.backend import LanguageModel
from boltbo.optimizers import Optimizer
from boltbo.problem import Task, Trajectory
from boltbo.proposers import Proposer, seed_of
from boltbo.proposers.order import check_first
from boltbo.settings import Settings
from boltbo.storage import Stage, open_storage
from boltbo.system.named import is_named, load_named, name_of
from boltbo.system.progress import Bars


class Campaign:
    """Many related tasks, solved in rounds; each round's solutions make the next round cheaper. The rounds are in `rounds.py`.

    Every observation is in the storage before the next oracle call. To go on after a kill, make the same campaign again and
    call `run`: nothing paid for is paid again.

    Args:
        domain: How to score a candidate, where to start, what a candidate is.
        tasks: The training tasks, in the order in which they are solved.
        validation: Tasks no model learns from, on which every round's model is measured.
        settings: See `Settings`; plain keyword arguments in Python, a TOML file on the command line.
        storage: A file (SQLite) or a database URL.
        optimizer: An optimizer of your own, as a class or function that is called with a task's space and `seed=`; by default
            `settings.run.optimizer` says which. `boltbo.optimizers.contract` tries one out.
        proposer: What gives a run its first candidates, in place of the language model; then no model is tuned. See
            `boltbo.proposers.base`.
        model: A base language model of your own; by default `settings.model` says which to make.
            `boltbo.llm.contract` tries one out.
        engine: Where runs happen; by default this process, or local processes if `settings.workers` is more than 1.
        progress: Show bars; by default on a terminal only.

    Raises:
        ConfigError: The settings ask the domain for what it has not, or name something that cannot be imported.
        CampaignMismatch: The storage holds a campaign of this name with other settings.
        ValueError: Task ids repeat, or a validation task is a training task.
    """

    def __init__(
        self,
        domain: Domain,
        tasks: Sequence[Task],
        validation: Sequence[Task] = (),
        *,
        settings: Settings | None = None,
        storage: str | Path = "boltbo.db",
        optimizer: Callable[..., Optimizer] | None = None,
        proposer: Proposer | None = None,
        model: LanguageModel | None = None,
        engine: Engine | None = None,
        progress: bool | None = None,
    ) -> None:
        self.domain = domain
        self.tasks, self.validation = tuple(tasks), tuple(validation)
        self.settings = s = settings or Settings()
        self.batches = _batches(tasks, s.rounds)
        _check_ids([*tasks, *validation])
        check_first(s.model.first, domain)
        if is_named(s.run.optimizer):
            load_named(s.run.optimizer, "optimizer")
        if is_named(s.model.backend):
            load_named(s.model.backend, "model")
        if proposer is None and s.run.proposer != "model":
            proposer = load_named(s.run.proposer, "proposer")(domain)
        engine, bars = engine or make_engine(s.engine, s.workers), Bars(progress)
        self.storage = store = open_storage(storage)
        store.attach(s.name, domain.name, {**s.resolved(), **_own(optimizer, proposer)}, __version__)
        make: Make | None = None if optimizer is None else partial(optimizer_of, domain, optimizer)
        self.parts = Parts(
            domain=domain,
            tasks=self.tasks,
            validation=self.validation,
            settings=s,
            storage=store,
            models=ModelVersions(store, domain, s.model, s.seed, bars, model),
            engine=engine,
            bars=bars,
            optimizer=s.run.optimizer if optimizer is None else name_of(optimizer),
            make=make,
            own_proposer=proposer,
        )

    def run(self) -> Results:
        """Go through all rounds, from wherever the storage says the campaign stands.

        Raises:
            OracleUnavailable: The oracle is out of order; nothing is lost, call `run` again.
            CampaignBusy: Another process runs this campaign.
        """
        with self.storage.hold():
            run_rounds(self.parts, self.batches)
        return self.results()

    def propose(self, task: Task, n: int = 10) -> list[str]:
        """The current model's candidates for one task, the domain's initial design while there is no model."""
        [proposals] = self.proposer().propose([task], n, seed_of(self.settings.seed, "propose", task.id))
        return [candidate for candidate, _ in feasible(self.domain, task, proposals)]

    def proposer(self) -> Proposer:
        """What proposes now, for other optimizers to start from: the current model, or the initial design without one."""
        return self.parts.proposer()

    def optimize(self, task: Task, budget: int | None = None, *, from_design: bool = False) -> Trajectory:
        """Solve one more task from the current model's candidates, or from the domain's initial design.

        It is stored, and no model learns from it. A search that was cut short goes on; a finished one is begun anew.
        """
        budget, store = budget or self.settings.run.budget, self.storage
        with store.hold():
            earlier = [r for r in store.runs(Stage.SINGLE) if r.task.id == task.id]
            t = next((r.round for r in earlier if not r.done and r.budget == budget), len(earlier))
            [run] = self.parts.run(self.parts.solving(Stage.SINGLE, t, [task], budget, from_design))
        return store.trajectories([run])[0]

    def import_runs(
        self,
        runs: str | Path | Sequence[Trajectory],
        how: Literal["add", "replace"] = "add",
        *,
        skip_invalid: bool = False,
    ) -> ImportReport:
        """Take in what was observed elsewhere: the next model learns from it, and a task not begun yet starts from it.

        No oracle call is made, none of the budget is spent, and no candidate imported is asked for again.

        Args:
            runs: A CSV or JSONL file (`campaign/past_runs/rows.py` has the columns), or trajectories. Lower values are better.
            how: What a task's run begins with. `add`: these observations and the initial candidates; `replace`: these
                observations alone, then the optimizer. Of several imports for a task the last one says how.
            skip_invalid: Leave rows out that cannot be used, and report them, instead of refusing all.

        Raises:
            InvalidRuns: A row cannot be used; nothing was imported.
            CampaignBusy: Another process runs this campaign.
        """
        with self.storage.hold():
            return record(self.storage, self.domain, self.tasks, self.validation, runs, how, skip_invalid)

    @property
    def finished(self) -> bool:
        """Whether `run` has nothing left to do."""
        last = Stage.VALIDATE if self.validation else Stage.TRAIN if self.batches[-1] else Stage.AUGMENT
        runs = self.storage.runs(last, len(self.batches) - 1)
        tuned = self.parts.own_proposer is not None or len(self.parts.models) == len(self.batches)
        return tuned and bool(runs) and all(r.done for r in runs)

    def trajectories(self) -> list[Trajectory]:
        """What was observed of each training task in the finished runs, and what was imported."""
        return self.parts.trajectories()

    def results(self) -> Results:
        """What the storage says of this campaign now."""
        return Results.read(self.storage)


def _own(optimizer: Any, proposer: Any) -> dict[str, str]:
    """Strategies that were handed over as objects, by name: a resume must agree with them too."""
    strategies = {"own_optimizer": optimizer, "own_proposer": proposer}
    return {key: name_of(strategy) for key, strategy in strategies.items() if strategy is not None}


def _batches(tasks: Sequence[Task], rounds: Sequence[int]) -> list[tuple[Task, ...]]:
    """The tasks of each round: as many as `rounds` says, thirds of all where it says nothing."""
    rounds = rounds or [n for n in (len(tasks) * i // 3 - len(tasks) * (i - 1) // 3 for i in (1, 2, 3)) if n]
    if sum(rounds) > len(tasks):
        raise ValueError(f"the rounds ask for {sum(rounds)} training tasks ({list(rounds)}), there are {len(tasks)}")
    if not rounds[0]:
        raise ValueError(
            f"the first round has no task ({list(rounds)}); 0 stands for self-augmentation, which needs some"
        )
    ends = list(accumulate(rounds))
    return [tuple(tasks[end - size : end]) for size, end in zip(rounds, ends, strict=True)]


def _check_ids(tasks: Sequence[Task]) -> None:
    seen: set[str] = set()
    for task in tasks:
        if task.id in seen:
            raise ValueError(f"two tasks have the id {task.id!r}; ids must be unique over training and validation")
        seen.add(task.id)
