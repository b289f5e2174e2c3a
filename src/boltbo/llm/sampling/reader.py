"""A local model at work, and the texts that are written with it: what both ways of sampling share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from boltbo.llm.sampling.masking import Ids, Machine

SPARE = 0.75
"""Rows that have ended are dropped when those that are left are fewer than this share: dropping copies the others."""


class Reader(Protocol):
    """A model at work on a batch of rows."""

    stop: int
    side_by_side: bool
    """Whether batches may be read in threads of their own: small products gain more from that than from threads within."""
    rows: int
    """Of a batch at most: bounds memory, and on a CPU more rows are no faster."""

    def spell(self, symbol: str, first: bool) -> Ids:
        """The ids of a grammar's symbol."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The solution that ids write."""
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
    """What one row wrote.

    Attributes:
        ids: Its tokens, without the one that ends it.
        state: Of the grammar's machine; -1 after the end.
        logprob: Under the mask at temperature 1.
        log_mass: Of what the mask allows among all, at the sampling's temperature, summed over the steps.
        row: Its place among the rows of its prompt.
        log_p: Under the mask at the sampling's temperature and nucleus.
        noisy: The largest of log_p + Gumbel noise of all texts that begin so (`distinct.py`).
        key: What the noise of all that may follow is made from; a function of the prompt's seed and of `ids`.
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
        context: What the model reads.
        machine: The prompt's grammar.
        wanted: How many samples.
        seed: The prompt's.
        first: How many were drawn for it before.
        prefixes: What the samples will come from; in the end the samples, in the order drawn.
        exhausted: Whether it turned out that the grammar has no others.
    """

    context: str
    machine: Machine
    wanted: int
    seed: int
    first: int = 0
    prefixes: list[Prefix] = field(default_factory=list)
    exhausted: bool = False

    @property
    def alive(self) -> list[Prefix]:
        return [p for p in self.prefixes if p.state >= 0]
