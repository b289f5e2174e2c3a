"""The outer loop: BOLT (Zeng et al., ICLR 2026, Algorithm 1).

`Campaign.run` is the algorithm. What it calls is here too, a few lines each; how a task is solved is in `solve.py`, what is
kept of it in `distil.py`, how a model proposes in `proposers/`, how it learns in `llm/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Literal

from boltbo.campaign.distil import training_pairs
from boltbo.campaign.models import ModelVersions
from boltbo.campaign.past_runs import ImportReport, Unimported, best_known, known_of, own_calls, record
from boltbo.campaign.results import Results
from boltbo.campaign.stage import feasible, solve_all
from boltbo.domain import Domain
from boltbo.llm.backend import Example, LanguageModel
from boltbo.problem import Observation, Task, Trajectory
from boltbo.proposers import InitialDesign, ModelProposer, Proposer, Retrieval, Unseen, seed_of
from boltbo.proposers.order import check_first
from boltbo.settings import Settings
from boltbo.storage import Run, Stage, open_storage
from boltbo.system.progress import Bars


class Campaign:
    """Many related tasks, solved in rounds; each round's solutions make the next round cheaper.

    Every observation is in the storage before the next oracle call. To go on after a kill, make the same campaign again and
    call `run`: nothing paid for is paid again.

    Args:
        domain: How to score a candidate, where to start, what a candidate is.
        tasks: The training tasks, in the order in which they are solved.
        validation: Tasks no model learns from, on which every round's model is measured.
        settings: See `Settings`; plain keyword arguments in Python, a TOML file on the command line.
        storage: A file (SQLite) or a database URL.
        model: A base language model of your own; by default `settings.model` says which to make.
        progress: Show bars; by default on a terminal only.

    Raises:
        ConfigError: The settings ask the domain for what it has not.
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
        model: LanguageModel | None = None,
        progress: bool | None = None,
    ) -> None:
        from boltbo._version import __version__

        self.domain = domain
        self.settings = settings or Settings()
        self.tasks = tuple(tasks)
        self.batches = _batches(tasks, self.settings.rounds)
        self.validation = tuple(validation)
        _check_ids([*tasks, *validation])
        check_first(self.settings.model.first, domain)
        self.bars = Bars(progress)
        self.store = open_storage(str(storage))
        self.store.attach(self.settings.name, domain.name, self.settings.resolved(), __version__)
        self.models = ModelVersions(self.store, domain, self.settings.model, self.settings.seed, self.bars, model)

    def run(self) -> Results:
        """Go through all rounds, from wherever the storage says the campaign stands.

        Raises:
            OracleUnavailable: The oracle is out of order; nothing is lost, call `run` again.
            CampaignBusy: Another process runs this campaign.
        """
        with self.store.hold():
            self._reference()
            for t, tasks in enumerate(self.batches):
                if tasks:
                    self._solve(t, tasks)
                else:
                    self._augment(t)
                self._fine_tune(t, self._distil(t))
                self._validate(t)
        return self.results()

    def _solve(self, t: int, tasks: Sequence[Task]) -> None:
        """Initial candidates from the last model (the domain's design while there is none), then the optimizer."""
        s = self.settings.run
        proposer = partial(self.proposer, design_share=s.design_share, retrieval_share=s.retrieval)
        self._runs(Stage.TRAIN, t, tasks, proposer, initial=s.initial, budget=s.budget, optimizer=s.optimizer)

    def _augment(self, t: int) -> None:
        """Self-augmentation: the last model's samples for every task solved so far; the good ones are distilled too.

        Each run begins with the best that is known of its task, so that an oracle stops early what is far from it.
        """
        earlier, s = sum(not batch for batch in self.batches[:t]), self.settings.augment
        n, proposer = s.calls(earlier), partial(self.proposer, retrieval_share=s.retrieved(earlier), in_order=False)
        ids = {task.id for batch in self.batches[:t] for task in batch}
        solved = [x for x in self.trajectories(t - 1) if x.task.id in ids]
        self._runs(
            Stage.AUGMENT,
            t,
            [x.task for x in solved],
            lambda: Unseen.of(proposer(), solved),
            initial=n,
            budget=n,
            optimizer=None,
            known=best_known(solved),
        )

    def _distil(self, t: int) -> dict[str, list[Example]]:
        """Task id -> the top-K solutions found for it so far, with the text that describes the task."""
        return training_pairs(self.domain, self.trajectories(t), self.settings.distil)

    def _fine_tune(self, t: int, pairs: Mapping[str, Sequence[Example]]) -> None:
        """BOLT-T: the model that has read the solutions of all T tasks finished so far."""
        if t not in self.models:
            self.models.fine_tune(t, pairs, pretraining_tasks=self.tasks, probe=self.validation or self.tasks)

    def _validate(self, t: int) -> None:
        """Best@k of this round's model on tasks that it has not seen; no default, no design beside its samples."""
        s = self.settings.validation
        proposer = partial(self.proposer, round=t)
        optimizer = self.settings.run.optimizer if s.budget > s.samples else None
        budget = max(s.samples, s.budget)
        self._runs(Stage.VALIDATE, t, self.validation, proposer, initial=s.samples, budget=budget, optimizer=optimizer)

    def _reference(self) -> None:
        """STBO on the validation tasks: what the model must beat."""
        s, budget = self.settings.run, self.settings.validation.reference_budget
        if budget:
            design = partial(InitialDesign, self.domain)
            self._runs(
                Stage.REFERENCE, 0, self.validation, design, initial=s.initial, budget=budget, optimizer=s.optimizer
            )

    def proposer(
        self,
        *,
        round: int | None = None,
        design_share: float | None = None,
        retrieval_share: float | None = None,
        in_order: bool = True,
    ) -> Proposer:
        """The model of `round` (the last one by default) as a proposer; the initial design where there is no model.

        Not `in_order`: all that it proposes is scored, so it need not say what comes first.
        """
        model = self.models.load(round)
        if model is None:
            return InitialDesign(self.domain)
        s = self.settings.model
        share = s.retrieval if retrieval_share is None else retrieval_share
        retrieval = self.retrieval(round) if share else None
        return ModelProposer(
            self.domain,
            model,
            retrieval=retrieval,
            retrieval_share=share,
            design_share=design_share,
            in_order=in_order,
            **s.sampling(),
        )

    def retrieval(self, t: int | None = None) -> Retrieval:
        """Proposes what was distilled, up to round `t`, of the tasks whose contexts are most like a task's own."""
        trajectories = self.trajectories(t)
        pairs = training_pairs(self.domain, trajectories, self.settings.distil)
        return Retrieval.of(self.domain, trajectories, pairs, nearest=True)

    def propose(self, task: Task, n: int = 10) -> list[str]:
        """The current model's candidates for one task, the domain's initial design while there is no model."""
        [proposals] = self.proposer().propose([task], n, seed_of(self.settings.seed, "propose", task.id))
        return [candidate for candidate, _ in feasible(self.domain, task, proposals)]

    def optimize(self, task: Task, budget: int | None = None, *, from_design: bool = False) -> Trajectory:
        """Solve one more task from the current model's candidates, or from the domain's initial design.

        It is stored, and no model learns from it. A search that was cut short goes on; a finished one is begun anew.
        """
        s = self.settings.run
        budget = budget or s.budget
        own = partial(self.proposer, design_share=s.design_share, retrieval_share=s.retrieval)
        proposer = partial(InitialDesign, self.domain) if from_design else own
        with self.store.hold():
            earlier = [r for r in self.store.runs(Stage.SINGLE) if r.task.id == task.id]
            t = next((r.round for r in earlier if not r.done and r.budget == budget), len(earlier))
            self._runs(
                Stage.SINGLE, t, [task], proposer, initial=min(s.initial, budget), budget=budget, optimizer=s.optimizer
            )
        [run] = [r for r in self.store.runs(Stage.SINGLE, t) if r.task.id == task.id]
        return self.store.trajectories([run])[0]

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
            runs: A CSV or JSONL file (`imports/rows.py` has the columns), or trajectories. Lower values are better.
            how: What a task's run begins with. `add`: these observations and the initial candidates; `replace`: these
                observations alone, then the optimizer. Of several imports for a task the last one says how.
            skip_invalid: Leave rows out that cannot be used, and report them, instead of refusing all.

        Raises:
            InvalidRuns: A row cannot be used; nothing was imported.
            CampaignBusy: Another process runs this campaign.
        """
        with self.store.hold():
            return record(self.store, self.domain, self.tasks, self.validation, runs, how, skip_invalid)

    @property
    def finished(self) -> bool:
        """Whether `run` has nothing left to do."""
        last = Stage.VALIDATE if self.validation else Stage.TRAIN if self.batches[-1] else Stage.AUGMENT
        runs = self.store.runs(last, len(self.batches) - 1)
        return len(self.models) == len(self.batches) and bool(runs) and all(r.done for r in runs)

    def trajectories(self, t: int | None = None) -> list[Trajectory]:
        """What was observed of each training task in the finished runs of the rounds up to `t`, or of all rounds.

        Then what was imported, of tasks of the campaign and of others.
        """
        runs = [
            r
            for stage in (Stage.TRAIN, Stage.AUGMENT)
            for r in self.store.runs(stage)
            if r.done and (t is None or r.round <= t)
        ]
        held_out = {task.id for task in self.validation}
        imports = [r for r in self.store.runs(Stage.IMPORT) if r.task.id not in held_out]
        merged: dict[str, Trajectory] = {}
        for x in [*map(own_calls, self.store.trajectories(runs)), *self.store.trajectories(imports)]:
            earlier = merged[x.task.id].observations if x.task.id in merged else ()
            merged[x.task.id] = Trajectory(x.task, (*earlier, *x.observations))
        return list(merged.values())

    def results(self) -> Results:
        """What the storage says of this campaign now."""
        return Results.read(self.store)

    def _runs(
        self,
        stage: Stage,
        t: int,
        tasks: Sequence[Task],
        proposer: Callable[[], Proposer],
        *,
        initial: int,
        budget: int,
        optimizer: str | None,
        known: Mapping[str, Sequence[Observation]] | None = None,
    ) -> None:
        """Make the runs of one stage of one round, if they are not stored yet, and bring them to their end."""
        s = self.settings
        imports = known_of(self.store) if stage in (Stage.TRAIN, Stage.SINGLE) else {}
        seed = seed_of(s.seed, stage, t)
        solve_all(
            self.store,
            self.domain,
            tasks,
            lambda: Unimported(proposer(), imports),
            Run(stage, t, Task("", ""), (), budget, s.run.batch, optimizer, seed=seed),
            initial=initial,
            workers=s.workers,
            bars=self.bars,
            begun=known or {task_id: own.observations for task_id, own in imports.items()},
        )


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
