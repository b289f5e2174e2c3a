"""A local model while it is read, and the texts written with it, for both ways of sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from boltbo.llm.sampling.masking import Ids, Machine

SPARE = 0.75
"""Ended rows are dropped when fewer than this share of the rows are alive: dropping copies the others."""


class Reader(Protocol):
    """A model that reads a batch of rows token by token."""

    stop: int
    """The id that ends a text."""
    side_by_side: bool
    """Whether batches may be read in threads of their own: small products gain more from that than from threads within."""
    rows: int
    """The most rows of a batch: this bounds memory, and more are no faster on a CPU."""

    def spell(self, symbol: str, first: bool) -> Ids:
        """The ids of a grammar's symbol."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The solution that some ids write."""
        ...

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        """Read each of P contexts once; the logits (P * n, V) after it, the same for its n rows, and a memory."""
        ...

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        """Read one more token of each row (P * n,) and return the logits (P * n, V)."""
        ...

    def keep(self, rows: Tensor, memory: Any) -> None:
        """Forget all rows but these (P', n'): n' rows of each of P' prompts, given by their places among all.

        A row may be given more than once: from then on there are two of it.
        """
        ...


@dataclass(slots=True)
class Prefix:
    """The beginning of a text, written by one row.

    Attributes:
        ids: Its tokens, without the one that ends it.
        state: State of the grammar's machine; -1 after the end.
        logprob: Log-probability under the mask at temperature 1.
        log_mass: Log of the allowed ids' probability at the sampling's temperature, summed over the steps.
        row: Its place among the rows of its prompt.
        log_p: Log-probability under the mask at the sampling's temperature.
        noisy: The largest of log_p + Gumbel noise of all texts that begin so (`distinct.py`).
        key: Seed of the noise of all tokens that may follow; a function of the prompt's seed and of `ids`.
    """

    ids: Ids
    state: int
    logprob: float = 0.0
    log_mass: float = 0.0
    row: int = 0
    log_p: float = 0.0
    noisy: float = 0.0
    key: int = 0


@dataclass
class Draws:
    """Some samples of one prompt in the making.

    Attributes:
        context: The context that the model reads.
        machine: The grammar of the prompt over ids.
        count: Number of samples.
        seed: Seed of the prompt.
        first: Number of samples drawn for the prompt before.
        prefixes: The beginnings of the samples; in the end the samples, in the order drawn.
        exhausted: Whether the grammar turned out to have no other texts.
    """

    context: str
    machine: Machine
    count: int
    seed: int
    first: int = 0
    prefixes: list[Prefix] = field(default_factory=list)
    exhausted: bool = False

    @property
    def alive(self) -> list[Prefix]:
        """The prefixes that have not ended."""
        return [p for p in self.prefixes if p.state >= 0]
