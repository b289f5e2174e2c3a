"""The interface of a language model: text in, text out. It knows nothing of optimization.

Every backend (`compact`, `transformers`, `openai`, a user's own) implements `LanguageModel` and passes the checks of
`boltbo.llm.contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from boltbo.domain import Grammar

Progress = Callable[[int, int], None]
"""Called as progress(done, total) during long work."""


@dataclass(frozen=True, slots=True)
class Example:
    """One training pair: the model reads `context` and learns to write `solution`."""

    context: str
    solution: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task to sample for: its context, and the grammar that every sample must follow."""

    context: str
    grammar: Grammar


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled solution.

    Attributes:
        text: The solution in the grammar's canonical form.
        logprob: Natural log of its probability under the constrained model at temperature 1, summed over tokens.
        valid_mass: Product over the steps of the probability that the model itself (at the sampling temperature, before
            the mask) gave to allowed tokens. Its mean over samples is an unbiased estimate of the share of unconstrained
            samples that would have been valid: samples come from q(x) = p(x) / mass(x), so E_q[mass] = sum of p over valid x.
    """

    text: str
    logprob: float
    valid_mass: float


@dataclass(frozen=True, slots=True)
class FitReport:
    """A report of one call of `fit`.

    Attributes:
        steps: Number of updates.
        tokens: Number of tokens read, padding not counted.
        seconds: Wall time.
        losses: Pairs of a step and the mean loss of a completion token, in nats, since the pair before.
    """

    steps: int
    tokens: int
    seconds: float
    losses: list[tuple[int, float]] = field(default_factory=list)


class LanguageModel(Protocol):
    """A model that can be fine-tuned on pairs and sampled under a grammar. Deterministic for a given seed on one machine."""

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Fine-tune in place, on the completion tokens only."""
        ...

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float = 0.7,
        unique: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Sample]]:
        """`n` samples for each prompt, every one valid under its grammar, in the order drawn.

        With `unique`, no canonical text comes twice; a list is then shorter than `n` where there are no more candidates or
        where a bounded number of draws did not find them.
        """
        ...

    def save(self, directory: Path) -> None:
        """Write the model into `directory`, which is made if missing, as safetensors and JSON only."""
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read the model that `save` wrote; nothing is ever unpickled.

        Raises:
            CorruptModel: A file is missing, truncated or does not fit.
        """
        ...


@runtime_checkable
class Guidable(Protocol):
    """A model whose sampling can be guided by what its fine-tuning changed; see `compact.guidance`."""

    def guided(self, base: LanguageModel, strength: float) -> LanguageModel:
        """A model with the same weights that samples with guidance of `strength`, where 0 means none.

        Its `save` writes the weights alone.

        Raises:
            ValueError: `base` is another kind of model.
        """
        ...


@runtime_checkable
class Referenced(Protocol):
    """A model that can be compared with the one it was fine-tuned from."""

    def log_ratios(self, context: str, solutions: Sequence[str]) -> list[float]:
        """log p - log p_base of each solution: how much the fine-tuning raised it.

        Where the base was trained on random solutions and the fine-tuned model on good ones, the ratio is, up to a constant,
        the log-probability that a solution is good (`compact.guidance`). It is also the reward that a fine-tuning implies
        (Rafailov et al., "Direct preference optimization", 2023).

        Raises:
            ValueError: The model does not know its base.
        """
        ...
