"""A language model as the optimizer: it reads the run's history and the level that is wanted, and writes the next candidate.

Two methods of the literature in the small, by what the model was tuned on:

*Trajectory model*, in the manner of OptFormer (Chen et al., "Towards learning universal hyperparameter optimizers with
transformers", NeurIPS 2022): tuned on `history.examples` of finished runs, that is to imitate what their optimizer did next,
conditioned on how good it was. Left out: OptFormer reads all of a run and metadata of its search space, of some hundred
thousand runs of several optimizers; it predicts values too, and of its samples takes those with the highest expected
improvement by its own prediction. Here a few lines of the history are read, values come in ten levels, runs are those of one
campaign by one optimizer, and samples are taken as they are likely.

*In-context*, in the manner of LLAMBO (Liu et al., "Large language models to enhance Bayesian optimization", ICLR 2024): a
pretrained model as it comes, shown the target's own run. Kept is LLAMBO's candidate sampler, which asks for several candidates
given a value to reach. Left out: the language model as a surrogate that chooses among them (here: the likeliest), its
zero-shot warm start (a run begins with the domain's design), and the size of the model, which was GPT-3.5.

Neither has a fall-back on a model of its own: where samples run out, candidates are edits of the best (`pools`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from boltbo.domain import Grammar, SearchSpace, StringSpace
from boltbo.llm.backend import LanguageModel, Prompt
from boltbo.problem import Status, Task
from boltbo_bench.transfer.history import BETTER, LEAST, text
from boltbo_bench.transfer.optimizer import DrawingOptimizer

FILLING = 64
READ = (
    "Below are solutions that were tried, each after its level: 1 is the best of them, larger numbers are worse. The last line"
    f" is the level of the solution that you write, where {BETTER} is better than all of them."
)
"""What a model that was not tuned on histories is told of them"""


class LanguageOptimizer(DrawingOptimizer):
    """Asks a language model for a candidate better than all that were told.

    Args:
        model: Tuned on `history.examples`, or pretrained.
        task: The target task: its context is read.
        space: Its candidates; for what is asked while too little is known, and where samples run out.
        grammar: That every sample follows.
        seed: Of every random choice.
        samples: Of one ask, at least twice as many as are asked for; the likeliest new ones are taken.
        temperature: Of the sampling.
        note: Put between context and history.

    Raises:
        ValueError: An option is out of range.
    """

    def __init__(
        self,
        model: LanguageModel,
        task: Task,
        space: SearchSpace | StringSpace,
        grammar: Grammar,
        *,
        seed: int,
        samples: int = 20,
        temperature: float = 0.7,
        note: str = "",
    ) -> None:
        super().__init__(space, seed=seed, least=LEAST)
        if samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        self.model, self.grammar, self.samples = model, grammar, samples
        self.temperature = temperature
        self._context = f"{task.context}\n\n{note}" if note else task.context

    def _rankings(self, n: int, attempt: int) -> Iterable[list[str]]:
        values, censored = self.history.values, self.history.having(Status.CENSORED)
        told = np.flatnonzero(np.isfinite(values))
        if len(told) < self.least or censored[told].all():
            yield from self._anything(n, attempt)
            return
        with self._timed("acquire"):
            if attempt:
                ranking = list(self._draws.first(self.history, FILLING, attempt - 1, self._is_new, self._rng))
            else:
                candidates = [self.history.candidates[i] for i in told]
                separator = self.grammar.separator
                ranking = self._sampled(
                    text(self._context, candidates, values[told], censored[told], BETTER, separator),
                    max(self.samples, 2 * n),
                )
        for _ in range(n):
            yield ranking

    def _sampled(self, context: str, n: int) -> list[str]:
        """Samples, the likeliest first."""
        [samples] = self.model.sample(
            [Prompt(context, self.grammar)], n, temperature=self.temperature,
            seed=int(self._rng.integers(2**31)),
        )  # fmt: skip
        return [s.text for s in sorted(samples, key=lambda s: -s.logprob)]
