"""Sampling from a local model: many rows of different prompts at once, each under its own grammar.

A model gives `Reader`: read the prompts once, then one token a row and step. Distinct samples are drawn in one pass
(`distinct.py`), others independently of each other. Random numbers belong to (prompt, draw, step), so what is sampled for a
task does not depend on which other tasks are sampled beside it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.llm.backend import Progress, Prompt, Sample
from boltbo.llm.distinct import SPARE, Beam, draw, mixed
from boltbo.llm.masking import Ids, Machine, conditional, padded
from boltbo.problem import FloatArray, InvalidCandidate
from boltbo.threads import one_torch_thread

ROWS = 256
"""Rows of a batch at most: bounds memory, and more rows are no faster on a CPU."""

PROMPTS = 16
"""Prompts of a batch at most: bounds what reading them takes, and more are no faster on a CPU."""

LEAST_ROWS = 16
"""Rows below which a batch is not cut in two for the sake of another thread."""

REDRAWS = 8
"""How often what is missing is drawn again before a list is left short: several draws may be one candidate, and where more than
`ROWS` are wanted, those of one pass do not know of another's."""

WARMER = 1.25
"""Each time at a temperature higher by this factor: a model that is sure of itself would else repeat itself for ever."""

MOST_TOKENS = 512


Array = NDArray[Any]


class Reader(Protocol):
    """A model at work on a batch of rows."""

    stop: int
    side_by_side: bool
    """Whether batches may be read in threads of their own: small products gain more from that than from threads within."""

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
        """Forget all rows but these (P', n'): n' rows of each of P' prompts, given by their places among all."""
        ...


@dataclass
class _Wanted:
    """One prompt and what was drawn for it."""

    prompt: Prompt
    machine: Machine
    seed: int
    drawn: int = 0
    exhausted: bool = False
    samples: list[Sample] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)

    def hand_in(self, reader: Reader, ids: Sequence[int], logprob: float, log_mass: float, unique: bool) -> None:
        """Take what was written, if it is wanted."""
        try:
            text = self.prompt.grammar.canonical(reader.text(ids))
        except InvalidCandidate:  # a grammar whose walks are not all candidates
            return
        if not unique or text not in self.texts:
            self.texts.add(text)
            self.samples.append(Sample(text, logprob, math.exp(log_mass)))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some samples of one prompt.

    Attributes:
        wanted: The prompt.
        n: How many.
        first: How many were drawn for it before.
    """

    wanted: _Wanted
    n: int
    first: int


_Drawn = list[tuple[_Wanted, Sequence[int], float, float]]
"""(prompt, ids, logprob, log mass) of each text that ended, in the order drawn"""


class _Row:
    """One sample in the making; without `noise`, one that only fills its prompt's rows up."""

    __slots__ = ("ids", "log_mass", "logprob", "noise", "owner", "state")

    def __init__(self, owner: _Wanted, noise: FloatArray | None) -> None:
        self.owner = owner
        self.noise = noise
        self.state = owner.machine.start if noise is not None else -1
        self.ids: list[int] = []
        self.logprob = self.log_mass = 0.0

    @property
    def alive(self) -> bool:
        return self.state >= 0

    def add(self, token: int, log_p: float, log_mass: float) -> None:
        """One more token, unless the row has ended."""
        if self.state < 0:
            return
        self.logprob += log_p
        self.log_mass += log_mass
        self.state = self.owner.machine.advance(self.state, token)
        if self.state >= 0:
            self.ids.append(token)


def sample(
    reader: Reader,
    prompts: Sequence[Prompt],
    n: int,
    *,
    temperature: float,
    top_p: float,
    unique: bool,
    seed: int,
    progress: Progress | None = None,
) -> list[list[Sample]]:
    """See `LanguageModel.sample`.

    Raises:
        ValueError: `n`, the temperature or `top_p` is out of range.
    """
    if n < 0 or not (0 < temperature < math.inf) or not (0 < top_p <= 1):
        raise ValueError(
            f"expected n >= 0, a positive temperature and 0 < top_p <= 1, got {n=}, {temperature=}, {top_p=}"
        )
    wanted = [_Wanted(p, Machine(p.grammar, reader.spell, reader.stop), _seed(seed, p.context)) for p in prompts]
    once = _distinct if unique else _independent
    for attempt in range(1 + REDRAWS if unique else 1):
        done = 0
        batches = _batches(wanted, n, threads := torch.get_num_threads() if reader.side_by_side else 1)
        with _mapping(min(threads, len(batches))) as over:
            heat = temperature * WARMER**attempt
            found = over(partial(once, reader, temperature=heat, top_p=top_p), batches)
            for batch, drawn in zip(batches, found, strict=True):
                for owner, ids, logprob, log_mass in drawn:  # here, in the order drawn
                    owner.hand_in(reader, ids, logprob, log_mass, unique)
                done += sum(part.n for part in batch)
                if progress is not None and not attempt:
                    progress(done // n, len(wanted))
    return [w.samples for w in wanted]


@contextmanager
def _mapping(n: int) -> Iterator[Callable[..., Iterator[_Drawn]]]:
    """A `map` on `n` threads in which torch uses one each, or, for a single one, here with all that torch has."""
    if n <= 1:
        yield map
        return
    with one_torch_thread(), ThreadPoolExecutor(n) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _batches(wanted: list[_Wanted], n: int, threads: int) -> list[list[_Part]]:
    """What is missing of `n` samples each, cut into batches for so many threads, prompts that want alike side by side.

    How a prompt's samples are cut depends on nothing but their number: what is distinct within a part depends on the part.
    """
    missing = [(w, n - len(w.samples)) for w in wanted if n > len(w.samples) and not w.exhausted]
    total = sum(k for _, k in missing)
    most = min(ROWS, max(LEAST_ROWS, -(-total // threads)))
    parts = []
    for w, k in missing:
        for at in range(0, k, ROWS):
            parts.append(_Part(w, min(ROWS, k - at), w.drawn))
            w.drawn += parts[-1].n
    batches: list[list[_Part]] = []
    for part in sorted(parts, key=lambda part: -part.n):
        if not batches or len(batches[-1]) == PROMPTS or (len(batches[-1]) + 1) * batches[-1][0].n > most:
            batches.append([])
        batches[-1].append(part)
    return batches


def _distinct(reader: Reader, batch: list[_Part], temperature: float, top_p: float) -> _Drawn:
    """Distinct texts for each part, all side by side."""
    beams = [Beam(p.wanted.prompt.context, p.wanted.machine, p.n, _key(p.wanted.seed, p.first)) for p in batch]
    draw(reader, beams, MOST_TOKENS, temperature, top_p)
    for part, beam in zip(batch, beams, strict=True):
        part.wanted.exhausted |= len(beam.prefixes) < part.n and top_p == 1  # the grammar has no more
    return [(p.wanted, q.ids, q.logprob, q.log_mass) for p, b in zip(batch, beams, strict=True) for q in b.prefixes]


@torch.inference_mode()
def _independent(reader: Reader, batch: list[_Part], temperature: float, top_p: float) -> _Drawn:
    """Some texts for each part, all side by side with as many rows as the neediest wants."""
    width = batch[0].n
    noises = [(p.wanted, [*_noise(p), *[None] * (width - p.n)]) for p in batch]
    rows = [_Row(w, noise) for w, own in noises for noise in own]
    logits, memory = reader.read([p.wanted.prompt.context for p in batch], width)
    active = rows
    for step in range(MOST_TOKENS):
        allowed = padded([row.owner.machine.allowed[max(row.state, 0)] for row in active])
        noise = np.array([0.5 if row.noise is None else row.noise[step] for row in active])
        tokens, log_p, log_mass = _choose(logits, allowed, noise, temperature, top_p)
        for row, *drawn in zip(active, tokens.tolist(), log_p.tolist(), log_mass.tolist(), strict=True):
            row.add(*drawn)
        places = _living(np.array([row.alive for row in active]).reshape(-1, width))
        if not places.size:
            break
        if places.size < SPARE * len(active):
            reader.keep(torch.from_numpy(places), memory)
            width, tokens, active = places.shape[1], tokens[places.ravel()], [active[i] for i in places.flat]
        logits = reader.step(torch.from_numpy(tokens), memory)
    # without rows for nobody, and texts that a grammar never ends
    return [(r.owner, r.ids, r.logprob, r.log_mass) for r in rows if r.noise is not None and not r.alive]


def _living(alive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places of the rows that are alive (P', n'), ended ones among them where prompts have fewer than others.

    Args:
        alive: (P, n).
    """
    prompts = np.flatnonzero(alive.any(1))
    most = int(alive.sum(1).max())
    first = np.argsort(~alive[prompts], axis=1, kind="stable")[:, :most]
    places: NDArray[np.int64] = prompts[:, None] * alive.shape[1] + first
    return places


def _choose(
    logits: Tensor, allowed: Array, noise: Array, temperature: float, top_p: float
) -> tuple[Array, Array, Array]:
    """Inverse-CDF sampling among the allowed ids.

    Args:
        logits: (rows, V).
        allowed: (rows, A) ids, padded with -1.
        noise: (rows,) in [0, 1).
        temperature: Divides the logits.
        top_p: Share of the allowed probability that is kept, most likely first.

    Returns:
        The ids, their log-probability among the allowed at temperature 1, and the log of the allowed ids' probability
        among all at this temperature; each (rows,).
    """
    index = torch.from_numpy(allowed)
    log_p, own, log_mass = conditional(logits, index, temperature, top_p)
    edges = log_p.exp().cumsum(1)
    u = torch.from_numpy(noise).to(edges)[:, None] * edges[:, -1:]
    last = edges.shape[1] - 1 - (log_p > -torch.inf).flip(1).byte().argmax(1, keepdim=True)
    place = torch.minimum((edges <= u).sum(1, keepdim=True), last)  # rounding never picks an id that is not allowed
    return index.gather(1, place)[:, 0].numpy(), own.gather(1, place)[:, 0].numpy(), log_mass.numpy()


def _noise(part: _Part) -> list[FloatArray]:
    """MOST_TOKENS numbers in [0, 1) for each draw of a part."""
    return [np.random.default_rng([part.wanted.seed, part.first + i]).random(MOST_TOKENS) for i in range(part.n)]


def _key(seed: int, first: int) -> int:
    """Of the noise of a part."""
    return int(mixed(mixed(np.array([seed], dtype=np.uint64)) + np.uint64(first))[0])


def _seed(seed: int, context: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {context}".encode()).digest()[:6], "big")
