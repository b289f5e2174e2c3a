"""The fine-tuned language model as a proposer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

from boltbo.llm.backend import LanguageModel, Prompt, Referenced, Sample
from boltbo.problem import Domain, Task
from boltbo.proposers.base import Progress, Proposal
from boltbo.proposers.initial_design import InitialDesign
from boltbo.settings import ConfigError

First = Literal["consensus", "likeliest", "normalized", "raised", "drawn"]

JUDGED = 100
"""Samples among which the one to begin with is looked for, where that is work"""


class ModelProposer:
    """Samples of a model for each task, with the domain's default and a share of its design beside them.

    With the default among the candidates, a run with a bad model is never worse than a run without one; with some of
    the design, the optimizer sees more than one corner of its space.

    Args:
        domain: The domain of the tasks.
        model: Its language model.
        design_share: Share of the candidates that is the domain's design, default included; None: the model alone.
        temperature: Of the sampling.
        top_p: Nucleus of the sampling.
        first: Which sample is tried first, at no cost; the others stay in the order drawn. `consensus`: the one that is
            least edits away from all others (minimum Bayes risk, Kumar & Byrne 2004). `likeliest`: the one that the model
            holds most likely, which a short one easily is. `normalized`: the likeliest by symbol (length normalization, as
            in Wu et al. 2016). `raised`: the one that fine-tuning raised most over the base (`backend.Referenced`). `drawn`:
            none is preferred.
        pool: So many times as many samples are drawn, and the likeliest of them kept, likeliest first.
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
        if self.pool > 1:
            return [sorted(samples, key=lambda s: -s.logprob)[:n] for samples in lists]
        return [self._ordered(samples, p) for samples, p in zip(lists, prompts, strict=True)]

    def _ordered(self, samples: list[Sample], prompt: Prompt) -> list[Sample]:
        if self.first == "drawn" or not samples:
            return samples
        separator, texts = prompt.grammar.separator, [s.text for s in samples[:JUDGED]]
        if self.first == "consensus":
            best = consensus(texts, separator)
        elif self.first == "raised":
            if not isinstance(self.model, Referenced):
                raise ConfigError(
                    "first = 'raised' asks a model for its base, which this one has not: take 'consensus'"
                )
            best = int(np.argmax(self.model.log_ratios(prompt.context, texts)))
        else:
            lengths = [1 + len(symbols(s.text, separator)) if self.first == "normalized" else 1 for s in samples]
            best = max(range(len(samples)), key=lambda i: samples[i].logprob / lengths[i])
        return [samples[best], *samples[:best], *samples[best + 1 :]]


def consensus(texts: Sequence[str], separator: str) -> int:
    """The place of the text that is least edits of symbols away from the others, as a share of the longer one."""
    known: dict[str, str] = {}  # symbol -> a character of its own
    written = ["".join(known.setdefault(s, chr(len(known))) for s in symbols(t, separator)) for t in texts]
    return int(cdist(written, written, scorer=Levenshtein.normalized_distance).mean(axis=1).argmin())


def symbols(text: str, separator: str) -> Sequence[str]:
    """Those that a solution is written in."""
    return text.split(separator) if separator else text


def _merge(design: list[Proposal], samples: list[Sample], n: int) -> list[Proposal]:
    """The default, the samples, the rest of the design; distinct, at most `n`, the design never crowded out."""
    first, rest = design[:1], design[1:]
    taken = {c for c, _ in design}
    own = [(s.text, "llm") for s in samples if s.text not in taken]
    return [*first, *own[: n - len(design)], *rest]
