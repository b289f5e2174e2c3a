"""Distinct samples in one pass: stochastic beam search (Kool, van Hoof & Welling, "Stochastic Beams and Where to Find Them",
ICML 2019).

To draw n texts without replacement is to take the n with the largest log-probability + Gumbel noise. They are found from the
first token on, because the noisy value of a prefix is the largest one of all texts that begin with it. So n rows are enough,
however sure of itself a model is, and what several samples begin with is computed once. Who asks for fewer gets the first of
those that more would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.llm.masking import Machine, conditional, padded
from boltbo.problem import FloatArray

Array = NDArray[Any]

SPARE = 0.75
"""Rows that have ended are dropped when those that are left are fewer than this share: dropping copies the others."""

_NOBODY = np.zeros(1, dtype=np.int64)
"""What is allowed to a row that is not used"""


class Rows(Protocol):
    """The part of a `sampling.Reader` that this needs."""

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]: ...

    def step(self, tokens: Tensor, memory: Any) -> Tensor: ...

    def keep(self, rows: Tensor, memory: Any) -> None: ...


@dataclass(slots=True)
class Prefix:
    """What one row wrote.

    Attributes:
        ids: Its tokens, without the one that ends it.
        state: Of the grammar's machine; -1 after the end.
        logprob: Under the mask at temperature 1.
        log_mass: Of what the mask allows among all, at the sampling's temperature, summed over the steps.
        log_p: Under the mask at the sampling's temperature and nucleus.
        noisy: The largest of log_p + Gumbel noise of all texts that begin so.
        row: Its place among the rows of its prompt.
    """

    ids: tuple[int, ...]
    state: int
    logprob: float = 0.0
    log_mass: float = 0.0
    log_p: float = 0.0
    noisy: float = 0.0
    row: int = 0


@dataclass
class Beam:
    """The samples of one prompt in the making.

    Attributes:
        context: What the model reads.
        machine: The prompt's grammar.
        wanted: How many samples.
        seed: Of their noise.
        prefixes: What they will come from, the largest noisy value first; in the end the samples, in the order drawn.
    """

    context: str
    machine: Machine
    wanted: int
    seed: int
    prefixes: list[Prefix] = field(default_factory=list)

    @property
    def alive(self) -> list[Prefix]:
        return [p for p in self.prefixes if p.state >= 0]


@torch.inference_mode()
def draw(rows: Rows, beams: Sequence[Beam], most_tokens: int, temperature: float, top_p: float) -> None:
    """Fill beams, all side by side. Texts of more than `most_tokens` are left out.

    A beam is left short where the grammar, or the nucleus, has fewer texts than are wanted.
    """
    for beam in beams:
        beam.prefixes = [Prefix((), beam.machine.start)]
    logits, memory = rows.read([beam.context for beam in beams], 1)
    active, width = list(beams), 1
    for step in range(most_tokens):
        _grow(active, width, logits, step, temperature, top_p)
        if not any(beam.alive for beam in active):
            break
        active, width, places = _arranged(active, width)
        if places is not None:
            rows.keep(torch.from_numpy(places), memory)
        logits = rows.step(torch.from_numpy(_last_tokens(active, width)), memory)
    for beam in beams:
        beam.prefixes = [p for p in beam.prefixes if p.state < 0]


def _grow(beams: Sequence[Beam], width: int, logits: Tensor, step: int, temperature: float, top_p: float) -> None:
    """One more token for every prefix that has not ended; of all that come of it, a beam keeps the best."""
    found: list[tuple[Prefix, int] | None] = [None] * (len(beams) * width)
    allowed, seeds = [_NOBODY] * len(found), np.zeros(len(found), dtype=np.uint64)
    for i, beam in enumerate(beams):
        for rank, prefix in enumerate(beam.prefixes):
            if prefix.state >= 0:
                at = i * width + prefix.row
                found[at], allowed[at], seeds[at] = (prefix, rank), beam.machine.allowed[prefix.state], beam.seed
    nothing = (-math.inf, -math.inf)
    above = torch.tensor([(f[0].log_p, f[0].noisy) if f else nothing for f in found], dtype=torch.float64)
    ranks = np.array([f[1] if f else 0 for f in found], dtype=np.uint64)
    table = padded(allowed)
    log_p, own, log_mass = conditional(logits, torch.from_numpy(table), temperature, top_p)
    log_p = above[:, :1] + log_p.double()
    noise = torch.from_numpy(gumbel(mixed(mixed(seeds + np.uint64(step)) + ranks), table))
    noisy = below(above[:, 1:], log_p + noise).view(len(beams), -1)
    top = noisy.topk(min(max(beam.wanted for beam in beams), noisy.shape[1]), dim=1)
    columns = table.shape[1]
    each = zip(
        beams, top.values.tolist(), top.indices.tolist(),
        *(x.reshape(len(beams), -1).gather(1, top.indices).tolist() for x in (log_p, own)), strict=True,
    )  # fmt: skip
    masses = log_mass.tolist()
    for i, (beam, values, places, p, logprob) in enumerate(each):
        ended = [(q.noisy, -1, q) for q in beam.prefixes if q.state < 0]
        children = [(value, j, None) for j, value in enumerate(values) if value > -math.inf]
        best: Iterable[tuple[float, int, Prefix | None]] = sorted([*ended, *children], key=lambda c: -c[0])
        kept = []
        for value, j, old in list(best)[: beam.wanted]:
            if old is not None:
                kept.append(old)
                continue
            at = i * width + places[j] // columns
            parent, token = found[at][0], int(table[at, places[j] % columns])
            state = beam.machine.advance(parent.state, token)
            ids = parent.ids if state < 0 else (*parent.ids, token)
            kept.append(
                Prefix(ids, state, parent.logprob + logprob[j], parent.log_mass + masses[at], p[j], value, parent.row)
            )
        beam.prefixes = kept


def below(above: Tensor, noisy: Tensor) -> Tensor:
    """Gumbel noise given its largest value: (rows, A) noisy values moved so that a row's largest is `above` (rows, 1).

    In the form of the paper's appendix B.3, which neither overflows nor cancels.
    """
    gap = noisy - noisy.amax(1, keepdim=True)
    v = above - noisy + torch.log1p(-gap.exp())
    found = above - v.clamp(min=0) - torch.log1p((-v.abs()).exp())
    return found.masked_fill(noisy.isneginf() | found.isnan(), -math.inf)


def _arranged(beams: list[Beam], width: int) -> tuple[list[Beam], int, Array | None]:
    """Give each living prefix a row, that of what it continues where this is free.

    Returns:
        The beams that go on, the rows of each from now on, and where each row's memory is now; None: nothing moves.
    """
    living = [beam.alive for beam in beams]
    needed = max(map(len, living))
    going_on = [i for i, alive in enumerate(living) if alive]
    if len(going_on) * needed >= SPARE * len(beams) * width:
        going_on, needed = list(range(len(beams))), max(width, needed)
    same = needed == width and len(going_on) == len(beams)
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
    return [beams[i] for i in going_on], needed, None if same else places


def _last_tokens(beams: Sequence[Beam], width: int) -> Array:
    tokens = np.zeros(len(beams) * width, dtype=np.int64)
    for i, beam in enumerate(beams):
        for prefix in beam.alive:
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
