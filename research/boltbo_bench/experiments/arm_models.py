"""The models of an arm: the trajectories that they learn from, and how they are trained."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

import numpy as np

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.distil import training_pairs
from boltbo.campaign.models import ModelVersions
from boltbo.errors import ConfigError
from boltbo.llm.backend import Example, LanguageModel
from boltbo.problem import Task, Trajectory
from boltbo.proposers import seed_of
from boltbo.storage import Storage
from boltbo_bench.experiments.arms import Arm


class ArmModels:
    """The models of an arm of a finished campaign.

    Args:
        campaign: The finished campaign.
        arm: Its settings and the training tasks that its models learn from.
        store: The arm's storage, which keeps the models.
        augment: Adds the calls of self-augmentation to trajectories.
    """

    def __init__(
        self,
        campaign: Campaign,
        arm: Arm,
        store: Storage,
        augment: Callable[[Sequence[Trajectory]], list[Trajectory]],
    ) -> None:
        self.campaign = campaign
        self.arm = arm
        self.store = store
        self.augment = augment
        self.settings = arm.settings
        self.versions = ModelVersions(
            store, campaign.domain, arm.settings.model, arm.settings.seed, campaign.parts.bars, None
        )
        self.last = max((m.round for m in campaign.storage.models()), default=-1)

    def trajectories(self) -> list[Trajectory]:
        """The trajectories of the first `tasks` training tasks, of all by default."""
        by_task = {x.task.id: x for x in self.campaign.trajectories()}
        if self.arm.tasks is None:
            return list(by_task.values())
        solved = [by_task[t.id] for t in self.campaign.tasks if t.id in by_task]
        if len(solved) < self.arm.tasks:
            raise ConfigError(f"arm {self.arm.text!r}: the campaign has solved {len(solved)} training tasks only")
        return solved[: self.arm.tasks]

    def read(self) -> list[Trajectory]:
        """The trajectories that the arm's own model learns from: with self-augmentation's calls where the arm makes them."""
        learnt_from = self.trajectories()
        return self.augment(learnt_from) if self.arm.augmented else learnt_from

    def fine_tune(self) -> None:
        """Fine-tune the arm's model from the campaign's base, unless it is there."""
        if self.last in self.versions:
            return
        pairs = training_pairs(self.campaign.domain, self.read(), self.settings.distil)
        if self.arm.shuffled:
            pairs = shuffled(pairs, seed_of(self.settings.seed, "shuffled"))
        self._tune(pairs, self.campaign.validation)

    def tuned_on_histories(self) -> LanguageModel:
        """The arm's model, which has learnt what came next in the stored runs."""
        from boltbo_bench.transfer.history import examples

        if self.last not in self.versions:
            histories = examples(self.trajectories(), self.campaign.domain, seed_of(self.settings.seed, "histories"))
            if not any(histories.values()):
                raise ConfigError(f"arm {self.arm.text!r}: no run is longer than its design, there is nothing to learn")
            self._tune(histories, ())
        return self.load()

    def load(self) -> LanguageModel:
        """The arm's model, which was fine-tuned before."""
        model = self.versions.load()
        assert model is not None
        return model

    def _tune(self, pairs: dict[str, list[Example]], probe: Sequence[Task]) -> None:
        if self.settings.model.backend == self.campaign.settings.model.backend:
            self._copy_base()
        self.versions.fine_tune(self.last, pairs, pretraining_tasks=self.campaign.tasks, probe=probe)

    def _copy_base(self) -> None:
        """Let all of a campaign's models begin from the same weights, wherever the cache of bases is."""
        base, own = self.campaign.storage.artifacts / "models" / "base", self.store.artifacts / "models" / "base"
        if base.exists() and not own.exists():
            half = own.with_name("base.half")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(base, half)
            half.rename(own)


def shuffled(pairs: dict[str, list[Example]], seed: int) -> dict[str, list[Example]]:
    """The same solutions, each task's under the context of another, drawn as one cycle: none keeps its own."""
    ids = [task for task, own in pairs.items() if own]
    order = np.random.default_rng(seed).permutation(len(ids)).tolist()
    context = {ids[a]: pairs[ids[b]][0].context for a, b in zip(order, order[1:] + order[:1], strict=True)}
    return {task: [Example(context[task], e.solution) for e in own] for task, own in pairs.items()}
