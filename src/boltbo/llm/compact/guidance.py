"""Guidance: sampling that strengthens what the fine-tuning changed.

A base that was pretrained on random valid solutions x of a context c has learnt p(x | c); fine-tuned on good solutions, it has
learnt p(x | c, good). By Bayes' rule the ratio p(x | c, good) / p(x | c) is proportional to p(good | x, c), how likely a
solution is to be good. So

    log p'(token) = log p(token) + w (log p(token) - log p_base(token)) + constant

sharpens only what the fine-tuning taught, whereas a low temperature sharpens the whole distribution, copying included. The
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
    """A `Reader` of two models with one tokenizer; each token is read by both.

    Args:
        model: The fine-tuned model.
        base: The model that it was fine-tuned from.
        strength: The weight w, at least 0.
    """

    def __init__(self, model: Reader, base: Reader, strength: float) -> None:
        self.model, self.base, self.strength = model, base, strength
        self.stop, self.side_by_side, self.rows = model.stop, model.side_by_side, model.rows

    def spell(self, symbol: str, first: bool) -> Ids:
        return self.model.spell(symbol, first)

    def text(self, ids: Sequence[int]) -> str:
        return self.model.text(ids)

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        logits, memory = self.model.read(contexts, n)
        base_logits, base_memory = self.base.read(contexts, n)
        return self._mixed(logits, base_logits), (memory, base_memory)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        return self._mixed(self.model.step(tokens, memory[0]), self.base.step(tokens, memory[1]))

    def keep(self, rows: Tensor, memory: Any) -> None:
        self.model.keep(rows, memory[0])
        self.base.keep(rows, memory[1])

    def _mixed(self, logits: Tensor, base_logits: Tensor) -> Tensor:
        log_p = logits.float().log_softmax(-1)
        return log_p + self.strength * (log_p - base_logits.float().log_softmax(-1))
