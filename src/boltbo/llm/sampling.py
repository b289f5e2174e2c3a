"""The one sampling loop: many rows of different prompts at once, each under its own grammar.

A local model gives `Reader`: read the prompts once, then one token a row and step. Random numbers belong to (prompt, draw,
step), so what is sampled for a task does not depend on which other tasks are sampled beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from boltbo.llm.backend import Progress, Prompt, Sample
from boltbo.llm.masking import Ids, Machine
from boltbo.problem import InvalidCandidate

ROWS = 256
"""Rows of a batch: memory, and the point from which more rows are no faster on a CPU."""

REDRAWS = 4
"""How often repeats are drawn again before a list is left short."""

MOST_TOKENS = 512


class Reader(Protocol):
    """A model at work on a batch of rows."""

    stop: int

    def spell(self, symbol: str, first: bool) -> Ids:
        """The ids of a grammar's symbol."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """The solution that ids write."""
        ...

    def read(self, contexts: Sequence[str], repeats: Sequence[int]) -> tuple[Tensor, Any]:
        """Read each context once; the logits (rows, V) and memory after it, each repeated as often as said."""
        ...

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        """Read one more token (rows,) and return the logits (rows, V)."""
        ...

    def keep(self, rows: Tensor, memory: Any) -> Any:
        """The memory of some rows only."""
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


@torch.inference_mode()
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
    """See `LanguageModel.sample`."""
    wanted = [_Wanted(p, Machine(p.grammar, reader.spell, reader.stop), _seed(seed, p.context)) for p in prompts]
    per_batch = max(1, ROWS // n)
    for start in range(0, len(wanted), per_batch):
        batch = wanted[start : start + per_batch]
        for _ in range(1 + REDRAWS if unique else 1):
            short = [w for w in batch if len(w.samples) < n]
            if not short:
                break
            _draw(reader, short, n, temperature, top_p, unique)
        if progress is not None:
            progress(min(start + per_batch, len(wanted)), len(wanted))
    return [w.samples for w in wanted]


def _draw(reader: Reader, wanted: list[_Wanted], n: int, temperature: float, top_p: float, unique: bool) -> None:
    """One sample for each that is missing, all rows side by side."""
    missing = [n - len(w.samples) for w in wanted]
    owner = np.repeat(np.arange(len(wanted)), missing)
    noise = np.concatenate([_noise(w, k) for w, k in zip(wanted, missing, strict=True)])
    logits, memory = reader.read([w.prompt.context for w in wanted], missing)
    states = [wanted[o].machine.start for o in owner]
    ids: list[list[int]] = [[] for _ in owner]
    logprob, mass = np.zeros(len(owner)), np.zeros(len(owner))
    rows = np.arange(len(owner))  # of the batch as it began; those that ended are dropped
    for step in range(MOST_TOKENS):
        allowed = _padded([wanted[owner[r]].machine.allowed[states[r]] for r in rows])
        tokens, log_p, log_mass = _choose(logits, allowed, noise[rows, step], temperature, top_p)
        logprob[rows] += log_p
        mass[rows] += log_mass
        for r, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            states[r] = wanted[owner[r]].machine.advance(states[r], token)
            if states[r] >= 0:
                ids[r].append(token)
        alive = np.array([states[r] >= 0 for r in rows])
        if not alive.any():
            break
        if not alive.all():
            memory = reader.keep(torch.from_numpy(np.flatnonzero(alive)), memory)
        rows = rows[alive]
        logits = reader.step(torch.from_numpy(tokens[alive]), memory)
    for r, o in enumerate(owner):
        if states[r] >= 0:
            continue  # a grammar that never ends
        w = wanted[o]
        try:
            text = w.prompt.grammar.canonical(reader.text(ids[r]))
        except InvalidCandidate:  # a grammar whose walks are not all candidates
            continue
        if not unique or text not in w.texts:
            w.texts.add(text)
            w.samples.append(Sample(text, float(logprob[r]), float(np.exp(mass[r]))))


def _choose(
    logits: Tensor, allowed: np.ndarray[Any, Any], noise: np.ndarray[Any, Any], temperature: float, top_p: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
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


def _padded(rows: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    width = max(map(len, rows))
    table = np.full((len(rows), width), -1, dtype=np.int64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _noise(w: _Wanted, k: int) -> np.ndarray[Any, Any]:
    """(k, MOST_TOKENS) numbers in [0, 1) that belong to the next `k` draws of this prompt."""
    draws = [np.random.default_rng([w.seed, w.drawn + i]).random(MOST_TOKENS) for i in range(k)]
    w.drawn += k
    return np.stack(draws)


def _seed(seed: int, context: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {context}".encode()).digest()[:6], "big")
