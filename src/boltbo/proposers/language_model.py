"""The fine-tuned language model as a proposer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from boltbo.domain import Domain, Estimating
from boltbo.llm.backend import LanguageModel, Prompt, Sample
from boltbo.problem import Task
from boltbo.proposers.base import Progress, Proposal, Proposer
from boltbo.proposers.initial_design import InitialDesign
from boltbo.proposers.order import Estimate, First, check_first, ordered


class ModelProposer:
    """Model samples, interleaved with retrieved solutions and part of the initial design.

    With the default among the candidates, a run with a bad model is never worse than a run without one; with some of
    the design, the optimizer sees more than one corner of its space.

    Args:
        domain: Domain of the tasks; an `Estimating` one where `first` is `estimated`.
        model: Language model that is sampled.
        retrieval: Proposer of solutions of tasks that were solved before.
        retrieval_share: Share of the candidates, without those of the design, that is retrieved.
        design_share: Share of the candidates that is the domain's design, default included; None: the model alone.
        temperature: Sampling temperature.
        first: Which samples are tried first, see `order`; None: as they come.
        pool: Oversampling factor; `order` selects.
        in_order: If false, skip what is used only for ordering.

    Raises:
        ConfigError: `first` asks the domain for estimates that it has not.
    """

    def __init__(
        self,
        domain: Domain,
        model: LanguageModel,
        *,
        retrieval: Proposer | None = None,
        retrieval_share: float = 0.0,
        design_share: float | None = None,
        temperature: float = 0.7,
        first: First | None = None,
        pool: int = 1,
        in_order: bool = True,
    ) -> None:
        check_first(first, domain)
        self.domain = domain
        self.model = model
        self.retrieval = retrieval
        self.retrieval_share = retrieval_share
        self.design_share = design_share
        self.temperature = temperature
        # the order by what was raised says which are far from each other, too
        self.first: First | None = first if in_order or first == "raised" else None
        self.pool = pool

    def propose(
        self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None
    ) -> list[list[Proposal]]:
        kept = 0 if self.design_share is None else max(1, round(self.design_share * n))
        design = InitialDesign(self.domain).propose(tasks, kept, seed) if kept else [[] for _ in tasks]
        samples = [[(s.text, "llm") for s in of_task] for of_task in self.sample(tasks, n, seed, progress)]
        retrieved = self.retrieval.propose(tasks, n, seed) if self.retrieval is not None else [[] for _ in tasks]
        mixed = [_alternating(s, r, self.retrieval_share) for s, r in zip(samples, retrieved, strict=True)]
        return [_merge(d, m, n) for d, m in zip(design, mixed, strict=True)]

    def sample(self, tasks: Sequence[Task], n: int, seed: int, progress: Progress | None = None) -> list[list[Sample]]:
        """`n` distinct samples for each task, all valid."""
        prompts = [Prompt(task.context, self.domain.grammar(task)) for task in tasks]
        lists = self.model.sample(prompts, self.pool * n, temperature=self.temperature, seed=seed, progress=progress)
        return [
            ordered(samples, n, self.first, self.model, prompt, self._estimate(task))
            for samples, prompt, task in zip(lists, prompts, tasks, strict=True)
        ]

    def _estimate(self, task: Task) -> Estimate | None:
        return partial(self.domain.estimates, task) if isinstance(self.domain, Estimating) else None


def _alternating(samples: Sequence[Proposal], retrieved: Sequence[Proposal], share: float) -> list[Proposal]:
    """Interleave both without repeats, about `share` of each part retrieved; a sample goes first unless `share` is 1."""
    sources: dict[str, str] = {}
    lists = (iter(samples), iter(retrieved))
    for i in range(len(samples) + len(retrieved)):
        turn = int((i + 1) * share) > int(i * share)
        for proposals in (lists[turn], lists[not turn]):  # the second one where the first has no more
            new = next((p for p in proposals if p[0] not in sources), None)
            if new is not None:
                sources[new[0]] = new[1]
                break
    return list(sources.items())


def _merge(design: list[Proposal], mixed: Sequence[Proposal], n: int) -> list[Proposal]:
    """The default, the mixed candidates, then the rest of the design: distinct, at most `n`, the design never crowded out."""
    first, rest = design[:1], design[1:]
    taken = {c for c, _ in design}
    return [*first, *[p for p in mixed if p[0] not in taken][: n - len(design)], *rest]
