"""Samples that are drawn independently of each other, repeats among them: they tell how often a model is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.llm.sampling.masking import conditional, padded
from boltbo.llm.sampling.reader import SPARE, Draws, Prefix, Reader
from boltbo.problem import FloatArray

Array = NDArray[Any]


@dataclass(slots=True)
class _Row:
    """One row of a batch: a sample in the making or, beyond a prompt's count, a row that has ended already.

    Attributes:
        draws: The draws that the sample belongs to.
        prefix: The tokens written so far.
        noise: A number in [0, 1) for each token.
    """

    draws: Draws
    prefix: Prefix
    noise: FloatArray

    @classmethod
    def begun(cls, draws: Draws, i: int, most_tokens: int) -> _Row:
        """The `i`-th row of a prompt."""
        state = draws.machine.start if i < draws.count else -1
        return cls(draws, Prefix((), state), np.random.default_rng([draws.seed, draws.first + i]).random(most_tokens))

    def add(self, token: int, logprob: float, log_mass: float) -> None:
        """Add one more token, unless the sample has ended."""
        p = self.prefix
        if p.state < 0:
            return
        p.logprob += logprob
        p.log_mass += log_mass
        p.state = self.draws.machine.advance(p.state, token)
        if p.state >= 0:
            p.ids = (*p.ids, token)


@torch.inference_mode()
def draw(reader: Reader, draws: Sequence[Draws], most_tokens: int, temperature: float) -> None:
    """Fill draws side by side, each with as many rows as the largest. Texts of more than `most_tokens` are left out."""
    width = max(d.count for d in draws)
    rows = [_Row.begun(d, i, most_tokens) for d in draws for i in range(width)]
    for i, d in enumerate(draws):
        d.prefixes = [row.prefix for row in rows[i * width : i * width + d.count]]
    logits, memory = reader.read([d.context for d in draws], width)
    active = rows
    for step in range(most_tokens):
        allowed = padded([row.draws.machine.allowed[max(row.prefix.state, 0)] for row in active])
        tokens, logprobs, log_mass = _choose(
            logits, allowed, np.array([row.noise[step] for row in active]), temperature
        )
        for row, *drawn in zip(active, tokens.tolist(), logprobs.tolist(), log_mass.tolist(), strict=True):
            row.add(*drawn)
        places = _living(np.array([row.prefix.state >= 0 for row in active]).reshape(-1, width))
        if not places.size:
            break
        if places.size < SPARE * len(active):
            reader.keep(torch.from_numpy(places), memory)
            width, tokens, active = places.shape[1], tokens[places.ravel()], [active[i] for i in places.flat]
        logits = reader.step(torch.from_numpy(tokens), memory)
    for d in draws:
        d.prefixes = [p for p in d.prefixes if p.state < 0]


def _living(alive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places of the living rows (P', n'), filled up with ended ones where a prompt has fewer than another.

    Args:
        alive: Whether each row is alive, (P, n).
    """
    prompts = np.flatnonzero(alive.any(1))
    most = int(alive.sum(1).max())
    first = np.argsort(~alive[prompts], axis=1, kind="stable")[:, :most]
    places: NDArray[np.int64] = prompts[:, None] * alive.shape[1] + first
    return places


def _choose(logits: Tensor, allowed: Array, noise: Array, temperature: float) -> tuple[Array, Array, Array]:
    """Inverse-CDF sampling among the allowed ids.

    Args:
        logits: Logits of all ids, (rows, V).
        allowed: The allowed ids, (rows, A), padded with -1.
        noise: Uniform numbers in [0, 1), (rows,).
        temperature: Divisor of the logits.

    Returns:
        The ids, their log-probability among the allowed at temperature 1, and the log of the allowed ids' probability
        among all at this temperature; each (rows,).
    """
    index = torch.from_numpy(allowed)
    log_p, log_p_at_1, log_mass = conditional(logits, index, temperature)
    edges = log_p.exp().cumsum(1)
    u = torch.from_numpy(noise).to(edges)[:, None] * edges[:, -1:]
    last = edges.shape[1] - 1 - (log_p > -torch.inf).flip(1).byte().argmax(1, keepdim=True)
    place = torch.minimum((edges <= u).sum(1, keepdim=True), last)  # rounding never picks an id that is not allowed
    return index.gather(1, place)[:, 0].numpy(), log_p_at_1.gather(1, place)[:, 0].numpy(), log_mass.numpy()
