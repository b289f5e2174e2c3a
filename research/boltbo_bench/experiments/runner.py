"""Arms on the validation tasks of a finished campaign, each a campaign of its own in the storage beside.

An arm is ordinary runs: what was paid for is on disk before the next oracle call, and an arm that was killed goes on where it
stood. Arms of a campaign in a SQLite file `X.db` are in `X-arms.db`; elsewhere they are in the same database.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.distil import training_pairs
from boltbo.campaign.models import ModelVersions
from boltbo.campaign.past_runs import own_calls, solved_before
from boltbo.campaign.stage import StageSpec, run_stage
from boltbo.engines import make_engine
from boltbo.errors import ConfigError
from boltbo.llm.backend import Example, LanguageModel
from boltbo.problem import Task, Trajectory
from boltbo.proposers import InitialDesign, ModelProposer, Proposer, Retrieval, seed_of
from boltbo.settings import Settings
from boltbo.storage import Stage, Storage, open_storage
from boltbo.system.files import write_whole
from boltbo.system.memory import begin_peak, peak_mib
from boltbo_bench.experiments.arms import IN_CONTEXT, TRAJECTORY, Arm, parse_arm
from boltbo_bench.experiments.proposers import Perturbed, Random
from boltbo_bench.experiments.transfer import asked, in_context, transferred


def run_arms(campaign: Campaign, texts: Sequence[str]) -> None:
    """Bring arms to their end, from wherever their storage says they stand.

    Args:
        campaign: A finished one.
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


def arms_url(url: str) -> str:
    """Where the arms of a campaign stored at `url` are."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return url
    path = Path(parsed.database or "boltbo.db")
    return f"sqlite:///{path.with_name(f'{path.stem}-arms{path.suffix}')}"


def arm_prefix(campaign: str) -> str:
    """What the names of a campaign's arms begin with in their storage."""
    return f"{campaign}: "


def open_arm(campaign: Campaign, arm: Arm) -> Storage:
    """The arm's campaign, begun if it is new.

    Raises:
        CampaignMismatch: It was begun on a campaign with other settings.
    """
    from boltbo._version import __version__

    store = open_storage(arms_url(campaign.storage.url))
    config = {"campaign": campaign.settings.resolved(), "arm": arm.text}
    store.attach(arm_prefix(campaign.settings.name) + arm.text, campaign.domain.name, config, __version__)
    return store


class OneArm:
    """An arm of a finished campaign."""

    def __init__(self, campaign: Campaign, arm: Arm, store: Storage) -> None:
        self.campaign = campaign
        self.arm = arm
        self.store = store
        self.settings: Settings = arm.settings
        self.models = ModelVersions(
            store, campaign.domain, arm.settings.model, arm.settings.seed, campaign.parts.bars, None
        )
        self.last = max((m.round for m in campaign.storage.models()), default=-1)

    def run(self) -> None:
        runs = self.store.runs(Stage.VALIDATE)
        if len(runs) == len(self.campaign.validation) and all(r.done for r in runs):
            return
        began = begin_peak()
        s = self.settings
        calls = s.validation.reference_budget or s.run.budget
        match self.arm.kind:
            case "refit":
                self._fine_tune()
                self._validate(self._own_proposer, s.validation.samples)
            case "samples":
                self._validate(self._perturbed, s.validation.samples)
            case "bolt+bo":
                self._validate(self._asked, min(s.run.initial, calls), calls)
            case "bolt+design+bo":
                proposer = partial(self._asked, design_share=s.run.design_share)
                self._validate(proposer, min(s.run.initial, calls), calls)
            case "stbo":
                self._go_on(self.arm.calls or calls)
            case "random":
                self._validate(partial(Random, self.campaign.domain), s.validation.samples)
            case "commonest" | "retrieval":
                self._validate(partial(self._retrieval, self.arm.kind == "retrieval"), s.validation.samples)
            case "perturb":
                self._validate(partial(self._retrieval, False), min(s.run.initial, calls), calls)
            case "default":
                self._validate(partial(InitialDesign, self.campaign.domain), 1)
            case "transfer":
                self._transfer(min(self.arm.calls or calls, calls))
        note(self.store, peak_mib=peak_mib(began))

    # --- runs ------------------------------------------------------------------------------------------------------------

    def _validate(self, proposer: Any, initial: int, calls: int = 0) -> None:
        """`initial` candidates of the proposer for each validation task, then the optimizer up to `calls`, where given."""
        s = self.settings
        self._solve(
            self.campaign.validation,
            proposer,
            # the seed of the campaign's own samples: where only settings differ, so does nothing else
            seed=seed_of(s.seed, Stage.VALIDATE, max(self.last, 0)),
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
        """STBO's finished runs, up to more calls; the optimizer is told all that it knew, and draws anew."""
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
            make = asked(self._tuned_on_histories(), domain, s.model)
        elif self.arm.method == IN_CONTEXT:
            make = in_context(domain, s, self.campaign.validation, self.campaign.parts.bars)
        else:
            make = transferred(self.arm.method, domain, self._learnt_from(), s.seed)
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

    # --- proposers -------------------------------------------------------------------------------------------------------

    def _asked(self, design_share: float | None = None) -> Proposer:
        """The campaign's last model, with this arm's settings."""
        model = self.campaign.parts.models.load(guidance=self.settings.model.guidance)
        if model is None:
            raise ConfigError(f"arm {self.arm.text!r}: the campaign has no model yet")
        return self._proposer(model, self._learnt_from, design_share)

    def _proposer(
        self, model: LanguageModel, read: Callable[[], Sequence[Trajectory]], design_share: float | None = None
    ) -> Proposer:
        """A model with this arm's settings; what is retrieved is of the trajectories that it read."""
        s = self.settings.model
        retrieval = self._retrieval(True, read()) if s.retrieval else None
        return ModelProposer(
            self.campaign.domain,
            model,
            retrieval=retrieval,
            retrieval_share=s.retrieval,
            design_share=design_share,
            **s.sampling(),
        )

    def _perturbed(self) -> Proposer:
        proposer = self._asked()
        if not self.arm.perturbed:
            return proposer
        return Perturbed(proposer, [t.context for t in self.campaign.tasks], self.arm.perturbed)

    def _own_proposer(self) -> Proposer:
        return self._proposer(self._own_model(), self._read)

    def _retrieval(self, most_similar: bool, read: Sequence[Trajectory] | None = None) -> Proposer:
        trajectories = self._learnt_from() if read is None else read
        pairs = training_pairs(self.campaign.domain, trajectories, self.settings.distil)
        return Retrieval.of(self.campaign.domain, trajectories, pairs, by="similarity" if most_similar else "support")

    # --- models ----------------------------------------------------------------------------------------------------------

    def _learnt_from(self) -> list[Trajectory]:
        """The trajectories of the first `tasks` training tasks, of all by default."""
        found = {x.task.id: x for x in self.campaign.trajectories()}
        if self.arm.tasks is None:
            return list(found.values())
        solved = [found[t.id] for t in self.campaign.tasks if t.id in found]
        if len(solved) < self.arm.tasks:
            raise ConfigError(f"arm {self.arm.text!r}: the campaign has solved {len(solved)} training tasks only")
        return solved[: self.arm.tasks]

    def _read(self) -> list[Trajectory]:
        """What the arm's own model learns from: these, and self-augmentation's calls where the arm makes them."""
        found = self._learnt_from()
        return self._augmented(found) if self.arm.augmented else found

    def _fine_tune(self) -> None:
        """The arm's model, from the campaign's base."""
        if self.last in self.models:
            return
        pairs = training_pairs(self.campaign.domain, self._read(), self.settings.distil)
        if self.arm.shuffled:
            pairs = shuffled(pairs, seed_of(self.settings.seed, "shuffled"))
        self._tune(pairs, self.campaign.validation)

    def _tuned_on_histories(self) -> LanguageModel:
        """The arm's model, which learnt what came next in the stored runs."""
        from boltbo_bench.transfer.history import examples

        if self.last not in self.models:
            found = examples(self._learnt_from(), self.campaign.domain, seed_of(self.settings.seed, "histories"))
            if not any(found.values()):
                raise ConfigError(f"arm {self.arm.text!r}: no run is longer than its design, there is nothing to learn")
            self._tune(found, ())
        return self._own_model()

    def _own_model(self) -> LanguageModel:
        model = self.models.load()
        assert model is not None
        return model

    def _tune(self, pairs: dict[str, list[Example]], probe: Sequence[Task]) -> None:
        if self.settings.model.backend == self.campaign.settings.model.backend:
            self._copy_base()
        self.models.fine_tune(self.last, pairs, pretraining_tasks=self.campaign.tasks, probe=probe)

    def _augmented(self, trajectories: Sequence[Trajectory]) -> list[Trajectory]:
        """What the campaign's last model proposes for every training task, with this arm's settings, scored."""
        n = self.arm.augmented
        own = {t.id for t in self.campaign.tasks}
        solved = [x for x in trajectories if x.task.id in own]
        seed = seed_of(self.settings.seed, Stage.AUGMENT, self.last + 1)
        self._solve(
            [x.task for x in solved],
            self._asked,
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

    def _copy_base(self) -> None:
        """So that all of a campaign's models begin from the same weights, wherever the cache of bases is."""
        base, own = self.campaign.storage.artifacts / "models" / "base", self.store.artifacts / "models" / "base"
        if base.exists() and not own.exists():
            half = own.with_name("base.half")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(base, half)
            half.rename(own)


def note(store: Storage, **facts: Any) -> None:
    """Keep facts about an arm beside its models."""
    path = store.artifacts / "arm.json"
    known = noted(store)
    write_whole(path, json.dumps({**known, **facts}, indent=1))


def noted(store: Storage) -> dict[str, Any]:
    """What `note` kept."""
    path = store.artifacts / "arm.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def shuffled(pairs: dict[str, list[Example]], seed: int) -> dict[str, list[Example]]:
    """The same solutions, each task's under the context of another, drawn as one cycle: none keeps its own."""
    ids = [task for task, own in pairs.items() if own]
    order = np.random.default_rng(seed).permutation(len(ids)).tolist()
    context = {ids[a]: pairs[ids[b]][0].context for a, b in zip(order, order[1:] + order[:1], strict=True)}
    return {task: [Example(context[task], e.solution) for e in own] for task, own in pairs.items()}
