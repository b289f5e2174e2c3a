"""Arms on the validation tasks of a finished campaign, each a campaign of its own in the storage beside.

An arm is ordinary runs: what was paid for is on disk before the next oracle call, and an arm that was killed goes on where it
stood.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.past_runs import own_calls, solved_before
from boltbo.campaign.stage import StageSpec, run_stage
from boltbo.engines import make_engine
from boltbo.errors import ConfigError
from boltbo.problem import Task, Trajectory
from boltbo.proposers import InitialDesign, Proposer, seed_of
from boltbo.settings import Settings
from boltbo.storage import Stage, Storage
from boltbo.system.memory import begin_peak, peak_mib
from boltbo_bench.experiments.arm_models import ArmModels
from boltbo_bench.experiments.arm_proposers import ArmProposers
from boltbo_bench.experiments.arm_storage import note, noted, open_arm
from boltbo_bench.experiments.arms import IN_CONTEXT, TRAJECTORY, Arm, parse_arm
from boltbo_bench.experiments.proposers import Random
from boltbo_bench.experiments.transfer import asked, in_context, transferred


def run_arms(campaign: Campaign, texts: Sequence[str]) -> None:
    """Bring arms to their end, from wherever their storage says they stand.

    Args:
        campaign: A finished campaign.
        texts: The arms, as `arms` reads them.

    Raises:
        ConfigError: A text is no arm, or the campaign has not what it needs.
        OracleUnavailable: The oracle is out of order; nothing is lost, call again.
    """
    arms = [parse_arm(text, campaign.settings) for text in texts]
    if arms and not campaign.validation:
        raise ConfigError(
            f"campaign {campaign.settings.name!r} has no validation tasks: there is nothing to run arms on"
        )
    for arm in arms:
        with open_arm(campaign, arm) as store, store.hold():
            campaign.parts.bars.note(f"arm {arm.text}")
            OneArm(campaign, arm, store).run()


class OneArm:
    """An arm of a finished campaign."""

    def __init__(self, campaign: Campaign, arm: Arm, store: Storage) -> None:
        self.campaign = campaign
        self.arm = arm
        self.store = store
        self.settings: Settings = arm.settings
        self.models = ArmModels(campaign, arm, store, self._augmented)
        self.proposers = ArmProposers(campaign, arm, self.models)

    def run(self) -> None:
        runs = self.store.runs(Stage.VALIDATE)
        if len(runs) == len(self.campaign.validation) and all(r.done for r in runs):
            return
        began = begin_peak()
        s = self.settings
        calls = s.validation.reference_budget or s.run.budget
        match self.arm.kind:
            case "refit":
                self.models.fine_tune()
                self._validate(self.proposers.trained, s.validation.samples)
            case "samples":
                self._validate(self.proposers.perturbed, s.validation.samples)
            case "bolt+bo":
                self._validate(self.proposers.asked, min(s.run.initial, calls), calls)
            case "bolt+design+bo":
                proposer = partial(self.proposers.asked, design_share=s.run.design_share)
                self._validate(proposer, min(s.run.initial, calls), calls)
            case "stbo":
                self._go_on(self.arm.calls or calls)
            case "random":
                self._validate(partial(Random, self.campaign.domain), s.validation.samples)
            case "commonest" | "retrieval":
                self._validate(partial(self.proposers.retrieval, self.arm.kind == "retrieval"), s.validation.samples)
            case "perturb":
                self._validate(partial(self.proposers.retrieval, False), min(s.run.initial, calls), calls)
            case "default":
                self._validate(partial(InitialDesign, self.campaign.domain), 1)
            case "transfer":
                self._transfer(min(self.arm.calls or calls, calls))
        note(self.store, peak_mib=peak_mib(began))

    def _validate(self, proposer: Any, initial: int, calls: int = 0) -> None:
        """`initial` candidates of the proposer for each validation task, then the optimizer up to `calls`, where given."""
        s = self.settings
        self._solve(
            self.campaign.validation,
            proposer,
            # the seed of the campaign's own samples: where only settings differ, so does nothing else
            seed=seed_of(s.seed, Stage.VALIDATE, max(self.models.last, 0)),
            initial=initial,
            budget=max(calls, initial),
            optimizer=s.run.optimizer if calls > initial else None,
        )

    def _solve(self, tasks: Sequence[Task], proposer: Callable[[], Proposer], **wanted: Any) -> None:
        """Bring runs of the arm to their end; `wanted` is what else a `StageSpec` says."""
        spec = StageSpec(
            **{"stage": Stage.VALIDATE, "round": 0, "batch": self.settings.run.batch, **wanted},
            tasks=tasks,
            proposer=proposer,
        )
        # an optimizer that is handed over holds what it learnt from other tasks: it stays in this process
        engine = make_engine(workers=1 if spec.make else self.campaign.settings.workers)
        run_stage(spec, self.store, self.campaign.domain, engine, self.campaign.parts.bars)

    def _go_on(self, calls: int) -> None:
        """STBO's finished runs, up to more calls; the optimizer is told all their observations, and draws anew."""
        begun = {r.task.id for r in self.store.runs(Stage.VALIDATE)}
        runs = [r for r in self.campaign.storage.runs(Stage.REFERENCE) if r.done and r.task.id not in begun]
        observed = {x.task.id: x.observations for x in self.campaign.storage.trajectories(runs)}
        self.store.add_runs(
            [replace(r, stage=Stage.VALIDATE, round=0, budget=calls, done=False) for r in runs], observed
        )
        design = partial(InitialDesign, self.campaign.domain)
        self._solve(self.campaign.validation, design, seed=0, initial=0, budget=calls)

    def _transfer(self, calls: int) -> None:
        """A method that learnt from the stored trajectories searches on from the design that STBO began with."""
        s, domain = self.settings, self.campaign.domain
        began = time.perf_counter()
        if self.arm.method == TRAJECTORY:
            make = asked(self.models.tuned_on_histories(), domain, s.model)
        elif self.arm.method == IN_CONTEXT:
            make = in_context(domain, s, self.campaign.validation, self.campaign.parts.bars)
        else:
            make = transferred(self.arm.method, domain, self.models.trajectories(), s.seed)
        note(self.store, **{"learn_seconds": time.perf_counter() - began, **noted(self.store)})
        self._solve(
            self.campaign.validation,
            partial(InitialDesign, domain),
            seed=seed_of(s.seed, Stage.REFERENCE, 0),
            initial=min(s.run.initial, calls),
            budget=calls,
            optimizer=f"transfer:{self.arm.method}",
            make=make,
        )

    def _augmented(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        """Add the scored proposals of the campaign's last model, with this arm's settings, for every training task."""
        n = self.arm.augmented
        training = {t.id for t in self.campaign.tasks}
        solved = [x for x in trajectories if x.task.id in training]
        seed = seed_of(self.settings.seed, Stage.AUGMENT, self.models.last + 1)
        self._solve(
            [x.task for x in solved],
            self.proposers.asked,
            stage=Stage.AUGMENT,
            seed=seed,
            initial=n,
            asked=2 * n,
            budget=n,
            past=solved_before(solved),
        )
        scored = self.store.trajectories(self.store.runs(Stage.AUGMENT))
        more = {x.task.id: own_calls(x).observations for x in scored}
        return [Trajectory(x.task, (*x.observations, *more.get(x.task.id, ()))) for x in trajectories]
