"""Sampling from a local model: many rows of different prompts at once, each under its own grammar.

Distinct samples are drawn in one pass (`distinct.py`), others independently of each other (`independent.py`). Random numbers
belong to the prompt and to what was written so far (or, of independent samples, to the draw and the step), so which texts
come for a task does not depend on which other tasks are sampled beside it. What is the same to the last bit, and what is
not, stands in the package's docstring.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch

from boltbo.errors import InvalidCandidate
from boltbo.llm.backend import Progress, Prompt, Sample
from boltbo.llm.sampling import distinct, independent
from boltbo.llm.sampling.masking import Machine
from boltbo.llm.sampling.reader import Draws, Prefix, Reader
from boltbo.system.threads import one_torch_thread

PROMPTS = 16
"""Prompts of a batch at most: bounds what reading them takes, and more are no faster on a CPU."""

LEAST_ROWS = 16
"""Rows below which a batch is not cut in two for the sake of another thread."""

REDRAWS = 8
"""How often what is missing is drawn again before a list is left short: several draws may be one candidate, and where more are
wanted than a batch has rows, those of one pass do not know of another's."""

WARMER = 1.25
"""Each time at a temperature higher by this factor: a model that is sure of itself would else repeat itself for ever."""

MOST_TOKENS = 512


@dataclass
class _Wanted:
    """One prompt and what was drawn for it.

    Attributes:
        prompt: The prompt.
        machine: Its grammar, over ids.
        seed: Of its random numbers.
        drawn: How many samples were asked of the model.
        exhausted: Whether the grammar has no other candidates.
        samples: What was kept.
        texts: Theirs.
    """

    prompt: Prompt
    machine: Machine
    seed: int
    drawn: int = 0
    exhausted: bool = False
    samples: list[Sample] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)

    def draws(self, n: int, most: int) -> list[Draws]:
        """`n` more, in parts of `most`: not of what would suit the threads, since what is distinct depends on the part."""
        parts = []
        for at in range(0, n, most):
            parts.append(Draws(self.prompt.context, self.machine, min(most, n - at), self.seed, self.drawn))
            self.drawn += parts[-1].wanted
        return parts

    def take(self, reader: Reader, drawn: Prefix, unique: bool) -> None:
        """Keep what was written, if it is wanted."""
        try:
            text = self.prompt.grammar.canonical(reader.text(drawn.ids))
        except InvalidCandidate:  # a grammar whose walks are not all candidates
            return
        if not unique or text not in self.texts:
            self.texts.add(text)
            self.samples.append(Sample(text, drawn.logprob, math.exp(drawn.log_mass)))


_Batch = list[tuple[_Wanted, Draws]]


def sample(
    reader: Reader,
    prompts: Sequence[Prompt],
    n: int,
    *,
    temperature: float,
    unique: bool,
    seed: int,
    progress: Progress | None = None,
) -> list[list[Sample]]:
    """See `LanguageModel.sample`.

    Raises:
        ValueError: `n` or the temperature is out of range.
    """
    if n < 0 or not (0 < temperature < math.inf):
        raise ValueError(f"expected n >= 0 and a positive temperature, got {n=}, {temperature=}")
    wanted = [_Wanted(p, Machine(p.grammar, reader.spell, reader.stop), _seed(seed, p.context)) for p in prompts]
    for attempt in range(1 + REDRAWS if unique else 1):
        done = 0
        threads = torch.get_num_threads() if reader.side_by_side else 1
        batches = _batches(wanted, n, reader.rows, threads)
        draw = partial(_draw, reader, unique, temperature * WARMER**attempt)
        with _mapping(min(threads, len(batches))) as over:
            for batch in over(draw, batches):
                for w, draws in batch:  # here, in the order drawn
                    for drawn in draws.prefixes:
                        w.take(reader, drawn, unique)
                    w.exhausted |= draws.exhausted
                    done += draws.wanted
                if progress is not None and not attempt:
                    progress(done // n, len(wanted))
    return [w.samples for w in wanted]


def _draw(reader: Reader, unique: bool, temperature: float, batch: _Batch) -> _Batch:
    way = distinct if unique else independent
    way.draw(reader, [draws for _, draws in batch], MOST_TOKENS, temperature)
    return batch


@contextmanager
def _mapping(n: int) -> Iterator[Callable[..., Iterator[_Batch]]]:
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


def _batches(wanted: list[_Wanted], n: int, rows: int, threads: int) -> list[_Batch]:
    """What is missing of `n` samples each, cut into batches for so many threads, prompts that are alike side by side."""
    missing = [(w, n - len(w.samples)) for w in wanted if n > len(w.samples) and not w.exhausted]
    total = sum(k for _, k in missing)
    most = min(rows, max(LEAST_ROWS, -(-total // threads)))
    parts = [(w, draws) for w, k in missing for draws in w.draws(k, rows)]
    batches: list[_Batch] = []
    for w, draws in sorted(parts, key=lambda part: (-part[1].wanted, len(part[1].context))):
        if not batches or len(batches[-1]) == PROMPTS or (len(batches[-1]) + 1) * batches[-1][0][1].wanted > most:
            batches.append([])
        batches[-1].append((w, draws))
    return batches


def _seed(seed: int, context: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {context}".encode()).digest()[:6], "big")
