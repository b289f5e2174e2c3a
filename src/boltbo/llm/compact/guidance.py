"""Samples that are more of what a fine-tuning taught.

A base that was pretrained on random valid solutions x of a context c knows what is usual; fine-tuning it on good ones teaches
what is good. By Bayes' rule the ratio of the two is how likely a solution is to be good: p(x | c, good) / p(x | c) is
proportional to p(good | x, c). So

    log p'(token) = log p(token) + w (log p(token) - log p_base(token)) + constant

is sharper in what was learnt alone, where a low temperature is sharper in all that the model knows, copying included. The
formula is that of classifier-free guidance (Ho & Salimans, "Classifier-free diffusion guidance", 2022; for language models
Sanchez et al., "Stay on topic with classifier-free guidance", ICML 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from boltbo.llm.sampling.masking import Ids
from boltbo.llm.sampling.reader import Reader


class Guided:
    """A `Reader` of two models of one tokenizer; each token costs both.

    Args:
        model: The fine-tuned one.
        base: What it was fine-tuned from.
        strength: w, from 0.
    """

    def __init__(self, model: Reader, base: Reader, strength: float) -> None:
        self.model, self.base, self.strength = model, base, strength
        self.stop, self.side_by_side, self.rows = model.stop, model.side_by_side, model.rows

    def spell(self, symbol: str, first: bool) -> Ids:
        return self.model.spell(symbol, first)

    def text(self, ids: Sequence[int]) -> str:
        return self.model.text(ids)

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        (logits, memory), (usual, base) = self.model.read(contexts, n), self.base.read(contexts, n)
        return self._mixed(logits, usual), (memory, base)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        return self._mixed(self.model.step(tokens, memory[0]), self.base.step(tokens, memory[1]))

    def keep(self, rows: Tensor, memory: Any) -> None:
        self.model.keep(rows, memory[0])
        self.base.keep(rows, memory[1])

    def _mixed(self, logits: Tensor, usual: Tensor) -> Tensor:
        own = logits.float().log_softmax(-1)
        return own + self.strength * (own - usual.float().log_softmax(-1))
