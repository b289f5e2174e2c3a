"""The fine-tuned language model as a proposer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from boltbo.llm.backend import LanguageModel, Prompt, Sample
from boltbo.problem import Domain, Estimating, Task
from boltbo.proposers.base import Progress, Proposal
from boltbo.proposers.initial_design import InitialDesign
from boltbo.proposers.order import Estimate, First, ordered
from boltbo.settings import ConfigError


class ModelProposer:
    """Samples of a model for each task, with the domain's default and a share of its design beside them.

    With the default among the candidates, a run with a bad model is never worse than a run without one; with some of
    the design, the optimizer sees more than one corner of its space.

    Args:
        domain: The domain of the tasks; an `Estimating` one where `first` is `estimated`.
        model: Its language model.
        design_share: Share of the candidates that is the domain's design, default included; None: the model alone.
        temperature: Of the sampling.
        top_p: Nucleus of the sampling.
        first: Which samples are tried first; see `order`.
        pool: So many times as many samples are drawn, of which `order` says those to take.

    Raises:
        ConfigError: `first` asks the domain for estimates that it has not.
    """

    def __init__(
        self,
        domain: Domain,
        model: LanguageModel,
        *,
        design_share: float | None = None,
        temperature: float = 0.7,
        top_p: float = 1.0,
        first: First = "drawn",
        pool: int = 1,
    ) -> None:
        if first == "estimated" and not isinstance(domain, Estimating):
            raise ConfigError(f"first = 'estimated': domain {domain.name!r} has no estimates; take 'consensus'")
        self.domain = domain
        self.model = model
        self.design_share = design_share
        self.temperature = temperature
        self.top_p = top_p
        self.first = first
        self.pool = pool

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        kept = 0 if self.design_share is None else max(1, round(self.design_share * n))
        design = InitialDesign(self.domain).propose(tasks, kept, seed) if kept else [[] for _ in tasks]
        samples = self.sample(tasks, n, seed, progress)
        return [_merge(d, s, n) for d, s in zip(design, samples, strict=True)]

    def sample(self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None) -> list[list[Sample]]:
        """`n` distinct samples for each task, all valid."""
        prompts = [Prompt(task.context, self.domain.grammar(task)) for task in tasks]
        lists = self.model.sample(
            prompts, self.pool * n, temperature=self.temperature, top_p=self.top_p, seed=seed, progress=progress
        )
        return [
            ordered(found, n, self.first, self.model, prompt, self._estimate(task))
            for found, prompt, task in zip(lists, prompts, tasks, strict=True)
        ]

    def _estimate(self, task: Task) -> Estimate | None:
        return partial(self.domain.estimates, task) if isinstance(self.domain, Estimating) else None


def _merge(design: list[Proposal], samples: list[Sample], n: int) -> list[Proposal]:
    """The default, the samples, the rest of the design; distinct, at most `n`, the design never crowded out."""
    first, rest = design[:1], design[1:]
    taken = {c for c, _ in design}
    own = [(s.text, "llm") for s in samples if s.text not in taken]
    return [*first, *own[: n - len(design)], *rest]
