"""What a campaign works with, and what every one of its stages needs: a proposer, and what was observed so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boltbo.campaign.distil import training_pairs
from boltbo.campaign.models import ModelVersions
from boltbo.campaign.past_runs import imported, own_calls
from boltbo.campaign.run import Make
from boltbo.campaign.stage import StageSpec, run_stage
from boltbo.domain import Domain
from boltbo.engines import Engine
from boltbo.problem import Task, Trajectory
from boltbo.proposers import InitialDesign, LearningProposer, ModelProposer, Proposer, Retrieval, seed_of
from boltbo.settings import Settings
from boltbo.storage import Run, Stage, Storage
from boltbo.system.progress import Bars


@dataclass(slots=True)
class Parts:
    """The parts of one campaign.

    Attributes:
        domain: How to score a candidate, where to start, what a candidate is.
        tasks, validation: The training tasks in their order, and those that no model learns from.
        settings: See `Settings`.
        storage: Holds the campaign.
        models: Its language models.
        engine: Where runs happen.
        bars: Progress.
        optimizer: What the runs' optimizer is called.
        make: Makes the runs' optimizers where that is an object of the user's.
        own_proposer: What proposes in place of the language model, if anything does.
    """

    domain: Domain
    tasks: Sequence[Task]
    validation: Sequence[Task]
    settings: Settings
    storage: Storage
    models: ModelVersions
    engine: Engine
    bars: Bars
    optimizer: str
    make: Make | None
    own_proposer: Proposer | None

    def run(self, spec: StageSpec) -> list[Run]:
        """Make the runs of a stage, if they are not stored yet, and bring them to their end."""
        return run_stage(spec, self.storage, self.domain, self.engine, self.bars)

    def seed(self, stage: Stage, t: int) -> int:
        """The seed of one stage of one round."""
        return seed_of(self.settings.seed, stage, t)

    def proposer(
        self,
        t: int | None = None,
        *,
        design_share: float | None = None,
        retrieval_share: float | None = None,
        in_order: bool = True,
    ) -> Proposer:
        """What proposes after round `t`, or after the last one: the language model, or the user's own proposer.

        The initial design stands in while there is no model.

        Args:
            t: The round.
            design_share: Share of the candidates that stays the domain's design; None: none, not even its default.
            retrieval_share: Share that is retrieved; None: as `model.retrieval` says.
            in_order: False where all candidates are scored anyway, so that it need not be said which comes first.
        """
        if self.own_proposer is not None:
            if isinstance(self.own_proposer, LearningProposer):
                self.own_proposer.learn(self.trajectories(t))
            return self.own_proposer
        model = self.models.load(t)
        if model is None:
            return InitialDesign(self.domain)
        s = self.settings.model
        share = s.retrieval if retrieval_share is None else retrieval_share
        return ModelProposer(
            self.domain,
            model,
            retrieval=self.retrieval(t) if share else None,
            retrieval_share=share,
            design_share=design_share,
            in_order=in_order,
            **s.sampling(),
        )

    def retrieval(self, t: int | None = None) -> Retrieval:
        """Proposes what was distilled, up to round `t`, of the tasks whose contexts are most like a task's own."""
        trajectories = self.trajectories(t)
        pairs = training_pairs(self.domain, trajectories, self.settings.distil)
        return Retrieval.of(self.domain, trajectories, pairs, by="similarity")

    def trajectories(self, t: int | None = None) -> list[Trajectory]:
        """What was observed of each training task in the finished runs of the rounds up to `t`, or of all rounds.

        Then what was imported, of tasks of the campaign and of others.
        """
        runs = [
            r
            for stage in (Stage.TRAIN, Stage.AUGMENT)
            for r in self.storage.runs(stage)
            if r.done and (t is None or r.round <= t)
        ]
        held_out = {task.id for task in self.validation}
        imports = [r for r in self.storage.runs(Stage.IMPORT) if r.task.id not in held_out]
        merged: dict[str, Trajectory] = {}
        for x in [*map(own_calls, self.storage.trajectories(runs)), *self.storage.trajectories(imports)]:
            earlier = merged[x.task.id].observations if x.task.id in merged else ()
            merged[x.task.id] = Trajectory(x.task, (*earlier, *x.observations))
        return list(merged.values())

    def solving(self, stage: Stage, t: int, tasks: Sequence[Task], budget: int, from_design: bool = False) -> StageSpec:
        """A stage that solves tasks: first candidates, those of the model of the round before if there is one, then the
        optimizer; a task with imported observations begins with them."""
        s = self.settings.run
        before = t - 1 if stage is Stage.TRAIN else None
        return StageSpec(
            stage=stage,
            round=t,
            tasks=tasks,
            proposer=lambda: (
                InitialDesign(self.domain)
                if from_design
                else self.proposer(before, design_share=s.design_share, retrieval_share=s.retrieval)
            ),
            seed=self.seed(stage, t),
            initial=min(s.initial, budget),
            budget=budget,
            batch=s.batch,
            optimizer=self.optimizer,
            make=self.make,
            past={} if stage is Stage.REFERENCE else imported(self.storage),
        )
