"""Sampling from a local model: many rows of different prompts at once, each under its own grammar.

Distinct samples are drawn in one pass (`distinct.py`), others independently of each other (`independent.py`). Random numbers
belong to the prompt and to the tokens written so far (or, of independent samples, to the draw and the step), so that the texts
of a task do not depend on the tasks sampled beside it. The package's docstring says what is the same to
the last bit, and what is not.
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
"""The most prompts of a batch: this bounds the memory of reading them, and more are no faster on a CPU."""

LEAST_ROWS = 16
"""Rows below which a batch is not cut in two for the sake of another thread."""

REDRAWS = 8
"""How often missing samples are drawn again before a list is left short: several draws may be one candidate, and where more
samples are wanted than a batch has rows, one pass may repeat another's."""

WARMER = 1.25
"""The factor by which each such pass raises the temperature: a model that is sure of itself would repeat itself for ever."""

MOST_TOKENS = 512
"""Texts with more tokens are left out."""


@dataclass
class _PromptSamples:
    """One prompt and the samples that were drawn for it.

    Attributes:
        prompt: The prompt.
        machine: Its grammar, over ids.
        seed: Seed of its random numbers.
        drawn: Number of samples asked of the model so far.
        exhausted: Whether the grammar has no other candidates.
        samples: The samples that were kept.
        texts: Texts of these samples.
    """

    prompt: Prompt
    machine: Machine
    seed: int
    drawn: int = 0
    exhausted: bool = False
    samples: list[Sample] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)

    def draws(self, n: int, most: int) -> list[Draws]:
        """`n` more draws, in parts of `most`: not cut to suit the threads, since the distinct texts depend on the part."""
        parts = []
        for at in range(0, n, most):
            parts.append(Draws(self.prompt.context, self.machine, min(most, n - at), self.seed, self.drawn))
            self.drawn += parts[-1].count
        return parts

    def take(self, reader: Reader, drawn: Prefix, unique: bool) -> None:
        """Keep a text as a sample if it is a candidate and, with `unique`, new."""
        try:
            text = self.prompt.grammar.canonical(reader.text(drawn.ids))
        except InvalidCandidate:  # a grammar whose walks are not all candidates
            return
        if not unique or text not in self.texts:
            self.texts.add(text)
            self.samples.append(Sample(text, drawn.logprob, math.exp(drawn.log_mass)))


_Batch = list[tuple[_PromptSamples, Draws]]


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
    per_prompt = [
        _PromptSamples(p, Machine(p.grammar, reader.spell, reader.stop), _seed(seed, p.context)) for p in prompts
    ]
    for attempt in range(1 + REDRAWS if unique else 1):
        done = 0
        threads = torch.get_num_threads() if reader.side_by_side else 1
        batches = _batches(per_prompt, n, reader.rows, threads)
        draw = partial(_draw, reader, unique, temperature * WARMER**attempt)
        with _mapping(min(threads, len(batches))) as over:
            for batch in over(draw, batches):
                for prompt_samples, draws in batch:  # in this thread, so in the order drawn
                    for drawn in draws.prefixes:
                        prompt_samples.take(reader, drawn, unique)
                    prompt_samples.exhausted |= draws.exhausted
                    done += draws.count
                if progress is not None and not attempt:
                    progress(done // n, len(per_prompt))
    return [prompt_samples.samples for prompt_samples in per_prompt]


def _draw(reader: Reader, unique: bool, temperature: float, batch: _Batch) -> _Batch:
    sampler = distinct if unique else independent
    sampler.draw(reader, [draws for _, draws in batch], MOST_TOKENS, temperature)
    return batch


@contextmanager
def _mapping(n: int) -> Iterator[Callable[..., Iterator[_Batch]]]:
    """A `map` on `n` threads, each with one of torch's; with one, a `map` in this thread with all of torch's."""
    if n <= 1:
        yield map
        return
    with one_torch_thread(), ThreadPoolExecutor(n) as pool:
        try:
            yield pool.map
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _batches(per_prompt: list[_PromptSamples], n: int, rows: int, threads: int) -> list[_Batch]:
    """The draws that are missing of `n` samples each, in batches for some threads; prompts of like lengths stand together."""
    missing = [(p, n - len(p.samples)) for p in per_prompt if n > len(p.samples) and not p.exhausted]
    total = sum(k for _, k in missing)
    most = min(rows, max(LEAST_ROWS, -(-total // threads)))
    parts = [(p, draws) for p, k in missing for draws in p.draws(k, rows)]
    batches: list[_Batch] = []
    for p, draws in sorted(parts, key=lambda part: (-part[1].count, len(part[1].context))):
        if not batches or len(batches[-1]) == PROMPTS or (len(batches[-1]) + 1) * batches[-1][0][1].count > most:
            batches.append([])
        batches[-1].append((p, draws))
    return batches


def _seed(seed: int, context: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {context}".encode()).digest()[:6], "big")
