"""The one sampling loop: many rows of different prompts at once, each under its own grammar.

A local model gives `Reader`: read the prompts once, then one token a row and step. Random numbers belong to (prompt, draw,
step), so what is sampled for a task does not depend on which other tasks are sampled beside it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltbo.llm.backend import Progress, Prompt, Sample
from boltbo.llm.masking import Ids, Machine
from boltbo.problem import FloatArray, InvalidCandidate
from boltbo.threads import one_torch_thread

ROWS = 256
"""Rows of a batch at most: bounds memory, and more rows are no faster on a CPU."""

PROMPTS = 16
"""Prompts of a batch at most: bounds what reading them takes, and more are no faster on a CPU."""

LEAST_ROWS = 16
"""Rows below which a batch is not cut in two for the sake of another thread."""

SPARE = 0.75
"""Rows that have ended are dropped when those that are left are fewer than this share: dropping copies the others."""

REDRAWS = 8
"""How often repeats are drawn again before a list is left short."""

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
    samples: list[Sample] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)


_Batch = list[tuple[_Wanted, list[FloatArray]]]
"""Prompts, and the random numbers of each of their draws, the most first"""


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

    def hand_in(self, reader: Reader, unique: bool) -> None:
        """Give what was written to the prompt, if it ended and is wanted."""
        if self.noise is None or self.alive:  # a row for nobody, or a grammar that never ends
            return
        try:
            text = self.owner.prompt.grammar.canonical(reader.text(self.ids))
        except InvalidCandidate:  # a grammar whose walks are not all candidates
            return
        if not unique or text not in self.owner.texts:
            self.owner.texts.add(text)
            self.owner.samples.append(Sample(text, self.logprob, math.exp(self.log_mass)))


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
    for attempt in range(1 + REDRAWS if unique else 1):
        done = 0
        batches = _batches(wanted, n, threads := torch.get_num_threads() if reader.side_by_side else 1)
        with _mapping(min(threads, len(batches))) as over:
            for rows in over(lambda b: _draw(reader, b, temperature * WARMER**attempt, top_p), batches):  # noqa: B023
                for row in rows:  # here, in the order drawn
                    row.hand_in(reader, unique)
                done += sum(row.noise is not None for row in rows)
                if progress is not None and not attempt:
                    progress(done // n, len(wanted))
    return [w.samples for w in wanted]


@contextmanager
def _mapping(n: int) -> Iterator[Callable[..., Iterator[list[_Row]]]]:
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


def _batches(wanted: list[_Wanted], n: int, threads: int) -> list[_Batch]:
    """What is missing of `n` samples each, cut into batches for so many threads, prompts that want alike side by side."""
    missing = [(w, n - len(w.samples)) for w in wanted if n > len(w.samples)]
    total = sum(k for _, k in missing)
    most = min(ROWS, max(LEAST_ROWS, -(-total // threads)))
    parts = [(w, min(most, k - at)) for w, k in missing for at in range(0, k, most)]
    batches: list[_Batch] = []
    for w, k in sorted(parts, key=lambda part: -part[1]):
        if not batches or len(batches[-1]) == PROMPTS or (len(batches[-1]) + 1) * len(batches[-1][0][1]) > most:
            batches.append([])
        batches[-1].append((w, _noise(w, k)))
    return batches


@torch.inference_mode()
def _draw(reader: Reader, batch: _Batch, temperature: float, top_p: float) -> list[_Row]:
    """Some samples for each prompt, all prompts side by side with as many rows as the neediest wants."""
    width = len(batch[0][1])
    rows = [_Row(w, noise) for w, own in batch for noise in [*own, *[None] * (width - len(own))]]
    logits, memory = reader.read([w.prompt.context for w, _ in batch], width)
    active = rows
    for step in range(MOST_TOKENS):
        allowed = _padded([row.owner.machine.allowed[max(row.state, 0)] for row in active])
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
    return rows


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
    logits = logits.float()
    own = logits.gather(1, index.clamp(min=0)).masked_fill(index < 0, -torch.inf)
    warm = own / temperature
    log_mass = warm.logsumexp(1) - (logits / temperature).logsumexp(1)
    p, order = warm.softmax(1).sort(1, descending=True)
    before = p.cumsum(1) - p
    p = p.masked_fill(before >= top_p, 0.0)
    edges = p.cumsum(1)
    u = torch.from_numpy(noise).to(edges)[:, None] * edges[:, -1:]
    place = (edges <= u).sum(1, keepdim=True).clamp(max=p.shape[1] - 1)
    place = torch.minimum(place, (p > 0).sum(1, keepdim=True) - 1)  # rounding never picks a padded id
    chosen = order.gather(1, place)
    log_p = own.log_softmax(1).gather(1, chosen)
    return index.gather(1, chosen)[:, 0].numpy(), log_p[:, 0].numpy(), log_mass.clamp(max=0.0).numpy()


def _padded(rows: list[Array]) -> Array:
    width = max(map(len, rows))
    table = np.full((len(rows), width), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _noise(w: _Wanted, k: int) -> list[FloatArray]:
    """k times MOST_TOKENS numbers in [0, 1) that belong to the next `k` draws of this prompt."""
    draws = [np.random.default_rng([w.seed, w.drawn + i]).random(MOST_TOKENS) for i in range(k)]
    w.drawn += k
    return draws


def _seed(seed: int, context: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {context}".encode()).digest()[:6], "big")
