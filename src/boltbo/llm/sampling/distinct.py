"""Distinct samples in one pass: stochastic beam search (Kool, van Hoof & Welling, "Stochastic Beams and Where to Find Them",
ICML 2019).

To draw n texts without replacement is to take the n with the largest log-probability + Gumbel noise. They are found from the
first token on, because the noisy value of a prefix is the largest one of all texts that begin with it. So n rows are enough,
however sure of itself a model is, and what several samples begin with is computed once. Who asks for fewer gets the first of
those that more would be.
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

LEAST_WIDTH = 4
"""Rows of a prompt at least, used or not: on some CPUs the products of one row or two differ in the last bits from those of
more, and how many there are depends on the other prompts."""

_NOBODY = np.zeros(1, dtype=np.int64)
"""What is allowed to a row that is not used"""


@torch.inference_mode()
def draw(reader: Reader, draws: Sequence[Draws], most_tokens: int, temperature: float) -> None:
    """Fill draws with distinct texts, all side by side. Texts of more than `most_tokens` are left out.

    One is left short where the grammar has fewer texts than are wanted.
    """
    for d in draws:
        d.prefixes = [Prefix((), d.machine.start)]
    logits, memory = reader.read([d.context for d in draws], 1)
    active, width = list(draws), 1
    for step in range(most_tokens):
        _grow(active, width, logits, step, temperature)
        if not any(d.alive for d in active):
            break
        active, width, places = _arranged(active, width)
        if places is not None:
            reader.keep(torch.from_numpy(places), memory)
        logits = reader.step(torch.from_numpy(_last_tokens(active, width)), memory)
    for d in draws:
        d.exhausted = len(d.prefixes) < d.wanted
        d.prefixes = [p for p in d.prefixes if p.state < 0]


def _grow(draws: Sequence[Draws], width: int, logits: Tensor, step: int, temperature: float) -> None:
    """One more token for every prefix that has not ended; of all that come of them, the best are kept, best first."""
    found: list[tuple[Prefix, int] | None] = [None] * (len(draws) * width)
    allowed, keys = [_NOBODY] * len(found), np.zeros((3, len(found)), dtype=np.uint64)
    for i, d in enumerate(draws):
        for rank, prefix in enumerate(d.prefixes):
            if prefix.state >= 0:
                at = i * width + prefix.row
                found[at], allowed[at] = (prefix, rank), d.machine.allowed[prefix.state]
                keys[:, at] = d.seed, d.first, rank
    nothing = (-math.inf, -math.inf)
    above = torch.tensor([(f[0].log_p, f[0].noisy) if f else nothing for f in found], dtype=torch.float64)
    table = padded(allowed)
    log_p, own, log_mass = conditional(logits, torch.from_numpy(table), temperature)
    log_p = above[:, :1] + log_p.double()
    seed, first, rank_of = keys
    key = mixed(mixed(mixed(mixed(seed) + first) + np.uint64(step)) + rank_of)
    noise = torch.from_numpy(gumbel(key, table))
    noisy = below(above[:, 1:], log_p + noise).view(len(draws), -1)
    top = noisy.topk(min(max(d.wanted for d in draws), noisy.shape[1]), dim=1)
    each = zip(
        draws, top.values.tolist(), top.indices.tolist(),
        *(x.reshape(len(draws), -1).gather(1, top.indices).tolist() for x in (log_p, own)), strict=True,
    )  # fmt: skip
    masses, columns = log_mass.tolist(), table.shape[1]
    for i, (d, values, places, p, logprob) in enumerate(each):
        ended = [(q.noisy, -1, q) for q in d.prefixes if q.state < 0]
        children = [(value, j, None) for j, value in enumerate(values) if value > -math.inf]
        best: list[tuple[float, int, Prefix | None]] = sorted([*ended, *children], key=lambda c: -c[0])
        kept = []
        for value, j, old in best[: d.wanted]:
            if old is not None:
                kept.append(old)
                continue
            at = i * width + places[j] // columns
            parent, token = found[at][0], int(table[at, places[j] % columns])
            state = d.machine.advance(parent.state, token)
            ids = parent.ids if state < 0 else (*parent.ids, token)
            told = (parent.logprob + logprob[j], parent.log_mass + masses[at])
            kept.append(Prefix(ids, state, *told, parent.row, p[j], value))
        d.prefixes = kept


def below(above: Tensor, noisy: Tensor) -> Tensor:
    """Gumbel noise given its largest value: (rows, A) noisy values moved so that a row's largest is `above` (rows, 1).

    In the form of the paper's appendix B.3, which neither overflows nor cancels.
    """
    gap = noisy - noisy.amax(1, keepdim=True)
    v = above - noisy + torch.log1p(-gap.exp())
    found = above - v.clamp(min=0) - torch.log1p((-v.abs()).exp())
    return found.masked_fill(noisy.isneginf() | found.isnan(), -math.inf)


def _arranged(draws: list[Draws], width: int) -> tuple[list[Draws], int, Array | None]:
    """Give each living prefix a row, that of what it continues where this is free.

    Returns:
        The draws that go on, the rows of each from now on, and where each row's memory is now; None: nothing moves.
    """
    living = [d.alive for d in draws]
    needed = max(LEAST_WIDTH, *map(len, living))
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


def gumbel(keys: NDArray[np.uint64], tokens: Array) -> FloatArray:
    """Noise (rows, A) that belongs to each row's key and each token."""
    bits = mixed(keys[:, None] + tokens.astype(np.uint64)) >> np.uint64(11)
    noise: FloatArray = -np.log(-np.log((bits + 0.5) * 2.0**-53))
    return noise


def mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers of 64 bits as good as random ones: a step of SplitMix64 (Steele, Lea & Flood, 2014)."""
    x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
