"""Distinct samples in one pass: stochastic beam search (Kool, van Hoof & Welling, "Stochastic Beams and Where to Find Them",
ICML 2019).

To draw n texts without replacement is to take the n with the largest log-probability + Gumbel noise. They are found from the
first token on, because the noisy value of a prefix is the largest one of all texts that begin with it. So n rows are enough,
however sure of itself a model is, and what several samples begin with is computed once. A call for fewer texts gets the
first of those that a call for more would get.

The noise of a token is a function of the prompt's seed and of all tokens before it, not of the rank of the prefix that it
continues. So where the last bits of a matrix product make two prefixes change places, nothing else changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.llm.sampling.masking import conditional, padded
from boltbo.llm.sampling.reader import SPARE, Draws, Prefix, Reader
from boltbo.problem import FloatArray

Array = NDArray[Any]

_NOBODY = np.zeros(1, dtype=np.int64)
"""The allowed ids of a row that is not used."""


@torch.inference_mode()
def draw(reader: Reader, draws: Sequence[Draws], most_tokens: int, temperature: float) -> None:
    """Fill draws with distinct texts, all side by side. Texts of more than `most_tokens` are left out.

    A draw is left short where the grammar has fewer texts than `count`.
    """
    for d in draws:
        d.prefixes = [Prefix((), d.machine.start, key=_first_key(d))]
    logits, memory = reader.read([d.context for d in draws], 1)
    active, width = list(draws), 1
    for _ in range(most_tokens):
        _grow(active, width, logits, temperature)
        if not any(d.alive for d in active):
            break
        active, width, places = _arranged(active, width)
        if places is not None:
            reader.keep(torch.from_numpy(places), memory)
        logits = reader.step(torch.from_numpy(_last_tokens(active, width)), memory)
    for d in draws:
        d.exhausted = len(d.prefixes) < d.count
        d.prefixes = [p for p in d.prefixes if p.state < 0]


def _grow(draws: Sequence[Draws], width: int, logits: Tensor, temperature: float) -> None:
    """Continue every prefix that has not ended by each allowed token, and keep the best of all prefixes, best first."""
    rows: list[Prefix | None] = [None] * (len(draws) * width)
    allowed, keys = [_NOBODY] * len(rows), np.zeros(len(rows), dtype=np.uint64)
    for i, d in enumerate(draws):
        for prefix in d.alive:
            at = i * width + prefix.row
            rows[at], allowed[at], keys[at] = prefix, d.machine.allowed[prefix.state], prefix.key
    nothing = (-math.inf, -math.inf)
    above = torch.tensor([(p.log_p, p.noisy) if p else nothing for p in rows], dtype=torch.float64)
    table = padded(allowed)
    log_p, log_p_at_1, log_mass = conditional(logits, torch.from_numpy(table), temperature)
    log_p = above[:, :1] + log_p.double()
    next_keys = mixed(keys[:, None] + table.astype(np.uint64))
    noise = torch.from_numpy(gumbel(next_keys))
    noisy = below(above[:, 1:], log_p + noise).view(len(draws), -1)
    top = noisy.topk(min(max(d.count for d in draws), noisy.shape[1]), dim=1)
    each = zip(
        draws, top.values.tolist(), top.indices.tolist(),
        *(x.reshape(len(draws), -1).gather(1, top.indices).tolist() for x in (log_p, log_p_at_1)), strict=True,
    )  # fmt: skip
    masses, columns = log_mass.tolist(), table.shape[1]
    for i, (d, values, places, sampling_log_p, logprob) in enumerate(each):
        ended = [(q.noisy, -1, q) for q in d.prefixes if q.state < 0]
        children = [(value, j, None) for j, value in enumerate(values) if value > -math.inf]
        best: list[tuple[float, int, Prefix | None]] = sorted([*ended, *children], key=lambda c: -c[0])
        kept = []
        for value, j, old in best[: d.count]:
            if old is not None:
                kept.append(old)
                continue
            at = i * width + places[j] // columns
            parent, column = rows[at], places[j] % columns
            assert parent is not None
            token = int(table[at, column])
            state = d.machine.advance(parent.state, token)
            ids = parent.ids if state < 0 else (*parent.ids, token)
            sums = (parent.logprob + logprob[j], parent.log_mass + masses[at])
            kept.append(Prefix(ids, state, *sums, parent.row, sampling_log_p[j], value, int(next_keys[at, column])))
        d.prefixes = kept


def below(above: Tensor, noisy: Tensor) -> Tensor:
    """Gumbel noise given its largest value: (rows, A) noisy values moved so that a row's largest is `above` (rows, 1).

    The formula is that of the paper's appendix B.3, which neither overflows nor cancels.
    """
    gap = noisy - noisy.amax(1, keepdim=True)
    v = above - noisy + torch.log1p(-gap.exp())
    moved = above - v.clamp(min=0) - torch.log1p((-v.abs()).exp())
    return moved.masked_fill(noisy.isneginf() | moved.isnan(), -math.inf)


def _arranged(draws: list[Draws], width: int) -> tuple[list[Draws], int, Array | None]:
    """Give each living prefix a row: that of the prefix which it continues, where this is free.

    Returns:
        The draws that go on, the number of rows of each from now on, and the present row of each row's memory; None where
        nothing moves.
    """
    living = [d.alive for d in draws]
    needed = max(map(len, living))
    going_on = [i for i, alive in enumerate(living) if alive]
    if len(going_on) * needed >= SPARE * len(draws) * width:
        going_on, needed = list(range(len(draws))), max(width, needed)
    same = needed == width and len(going_on) == len(draws)
    places = np.empty((len(going_on), needed), dtype=np.int64)
    for k, i in enumerate(going_on):
        source = list(range(min(width, needed))) + [0] * (needed - width)
        free, waiting = set(range(needed)), []
        for prefix in living[i]:
            if prefix.row in free:
                free.remove(prefix.row)
            else:
                waiting.append(prefix)
        for prefix, row in zip(waiting, sorted(free), strict=False):
            source[row], prefix.row, same = prefix.row, row, False
        places[k] = i * width + np.array(source)
    return [draws[i] for i in going_on], needed, None if same else places


def _last_tokens(draws: Sequence[Draws], width: int) -> Array:
    tokens = np.zeros(len(draws) * width, dtype=np.int64)
    for i, d in enumerate(draws):
        for prefix in d.alive:
            tokens[i * width + prefix.row] = prefix.ids[-1]
    return tokens


def _first_key(d: Draws) -> int:
    """The key of the noise of all first tokens of these draws."""
    seed, first = np.array([d.seed], dtype=np.uint64), np.uint64(d.first)
    return int(mixed(mixed(seed) + first)[0])


def gumbel(keys: NDArray[np.uint64]) -> FloatArray:
    """One number of Gumbel's distribution for each key."""
    noise: FloatArray = -np.log(-np.log(((keys >> np.uint64(11)) + 0.5) * 2.0**-53))
    return noise


def mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Pseudo-random numbers of 64 bits: a step of SplitMix64 (Steele, Lea & Flood, 2014)."""
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
