"""What proposes the first candidates of an arm's runs: a model, or what was retrieved without one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.distil import training_pairs
from boltbo.errors import ConfigError
from boltbo.llm.backend import LanguageModel
from boltbo.problem import Trajectory
from boltbo.proposers import ModelProposer, Proposer, Retrieval
from boltbo_bench.experiments.arm_models import ArmModels
from boltbo_bench.experiments.arms import Arm
from boltbo_bench.experiments.proposers import Perturbed


class ArmProposers:
    """The proposers of an arm of a finished campaign."""

    def __init__(self, campaign: Campaign, arm: Arm, models: ArmModels) -> None:
        self.campaign = campaign
        self.arm = arm
        self.models = models
        self.settings = arm.settings

    def asked(self, design_share: float | None = None) -> Proposer:
        """A proposer that asks the campaign's last model with this arm's settings."""
        model = self.campaign.parts.models.load(guidance=self.settings.model.guidance)
        if model is None:
            raise ConfigError(f"arm {self.arm.text!r}: the campaign has no model yet")
        return self._proposer(model, self.models.trajectories, design_share)

    def _proposer(
        self, model: LanguageModel, read: Callable[[], Sequence[Trajectory]], design_share: float | None = None
    ) -> Proposer:
        """A proposer that asks a model with this arm's settings; it retrieves from the trajectories that the model read."""
        s = self.settings.model
        retrieval = self.retrieval(True, read()) if s.retrieval else None
        return ModelProposer(
            self.campaign.domain,
            model,
            retrieval=retrieval,
            retrieval_share=s.retrieval,
            design_share=design_share,
            **s.sampling(),
        )

    def perturbed(self) -> Proposer:
        """As `asked`, of contexts that were perturbed where the arm says so."""
        proposer = self.asked()
        if not self.arm.perturbed:
            return proposer
        return Perturbed(proposer, [t.context for t in self.campaign.tasks], self.arm.perturbed)

    def trained(self) -> Proposer:
        """A proposer that asks the arm's own model."""
        return self._proposer(self.models.load(), self.models.read)

    def retrieval(self, most_similar: bool, read: Sequence[Trajectory] | None = None) -> Proposer:
        """A proposer of the solutions in trajectories (default: those that the arm's models learn from)."""
        trajectories = self.models.trajectories() if read is None else read
        pairs = training_pairs(self.campaign.domain, trajectories, self.settings.distil)
        return Retrieval.of(self.campaign.domain, trajectories, pairs, by="similarity" if most_similar else "support")
