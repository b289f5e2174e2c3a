"""The embedded default: a small decoder on the domain's own symbols, trained in full on a CPU in minutes.

It knows nothing at first. `pretrain` teaches it the language, the tasks' vocabulary and what sensible solutions look like, on
pairs that no oracle was paid for; `fit` then teaches it what is good. Solutions of one context are read in one row behind one
copy of it, each blind to the others: with ten solutions a task, that is several times less work.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from boltbo.errors import CorruptModel
from boltbo.llm.backend import Example, FitReport, LanguageModel, Progress, Prompt, Sample
from boltbo.llm.compact.decoder import Decoder, Memory, Shape, frequencies
from boltbo.llm.compact.guidance import Guided
from boltbo.llm.compact.tokenizer import PAD, STOP, Tokenizer
from boltbo.llm.sampling.masking import Ids
from boltbo.llm.sampling.reader import Reader
from boltbo.llm.sampling.sample import sample
from boltbo.llm.tuning.loop import Schedule, something_to_learn, train
from boltbo.llm.tuning.packing import Batch, Row, pack, stack
from boltbo.llm.tuning.precision import PRODUCTS
from boltbo.llm.tuning.weights import filled

FORMAT = 2
"""The format of a model's folder"""
PRETRAINING_RATE, FIT_RATE = 1e-3, 3e-4


@lru_cache
def threads_change_no_bit(threads: int) -> bool:
    """Whether this CPU gives the same gradients, to the last bit, with one thread as with so many.

    Tried once on rows of several lengths. Sums of float32 products depend on the number, those of bfloat16 on some CPUs.
    """
    if PRODUCTS is torch.float32:
        return False
    before = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = CompactModel(Tokenizer.learn([], [], " ", 1), Decoder(Shape(300)))
            parameters = list(model.decoder.parameters())
            for length in (18, 40, 70, 100, 200, 700, 1024):
                ids = torch.randint(300, (length,)).tolist()
                row = Row(ids[: length // 2], [ids[length // 2 :]])
                found = []
                for n in (1, threads):
                    torch.set_num_threads(n)
                    found.append(torch.autograd.grad(model._loss([row])[0], parameters))
                if not all(map(torch.equal, *found)):
                    return False
        return True
    finally:
        torch.set_num_threads(before)


class CompactModel:
    """A `LanguageModel` of about three million parameters."""

    def __init__(self, tokenizer: Tokenizer, decoder: Decoder) -> None:
        self.tokenizer = tokenizer
        self.decoder = decoder.eval()
        self._at_work: Decoder | None = None
        self._guide: tuple[CompactModel, float] | None = None

    @classmethod
    def create(
        cls,
        corpus: Iterable[Example],
        *,
        separator: str = " ",
        width: int = 256,
        layers: int = 4,
        heads: int = 4,
        words: int = 4000,
        seed: int = 0,
    ) -> Self:
        """A model that has learnt nothing but the words of `corpus`.

        Args:
            corpus: Contexts and solutions; empty solutions are passed over.
            separator: What parts a solution's symbols.
            width: Of the decoder.
            layers: Of the decoder.
            heads: Of its attention; divide `width` into even parts.
            words: The largest vocabulary, bytes not counted.
            seed: Of the first weights.
        """
        corpus = list(corpus)
        tokenizer = Tokenizer.learn([e.context for e in corpus], [e.solution for e in corpus], separator, words)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(tokenizer, Decoder(Shape(tokenizer.size, width, layers, heads)))

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        progress: Progress | None = None,
        rate: float = FIT_RATE,
    ) -> FitReport:
        """Train all parameters on the completion tokens; see `LanguageModel.fit`.

        Args:
            examples: The pairs.
            epochs: Passes over them; may be a fraction.
            seed: Of their order.
            progress: Called after each step.
            rate: The highest learning rate.

        Raises:
            ValueError: There is nothing to learn from, or `epochs` is out of range.
            FloatingPointError: The loss is not finite.
        """
        something_to_learn(examples)
        self._at_work = None
        rows = self._rows(examples)
        total = sum(row.length for row in rows)
        # few tasks make few large batches, too few steps to learn anything: then smaller ones
        tokens = min(1024, max(256, total // 24))
        schedule: Schedule[Row] = Schedule(
            epochs, rate, tokens, threads_by_load=threads_change_no_bit(torch.get_num_threads())
        )
        with torch.random.fork_rng():
            return train(self.decoder, rows, self._loss, schedule, seed=seed, progress=progress)

    def pretrain(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        progress: Progress | None = None,
        rate: float = PRETRAINING_RATE,
    ) -> FitReport:
        """`fit` at the learning rate of a model that knows nothing."""
        return self.fit(examples, epochs=epochs, seed=seed, progress=progress, rate=rate)

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float = 0.7,
        unique: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Sample]]:
        """See `LanguageModel.sample`."""
        reader: Reader = _Reader(self)
        if self._guide is not None and self._guide[1]:
            reader = Guided(reader, _Reader(self._guide[0]), self._guide[1])
        return sample(
            reader, prompts, n,
            temperature=temperature, unique=unique, seed=seed, progress=progress,
        )  # fmt: skip

    def guided(self, base: LanguageModel, strength: float) -> CompactModel:
        """See `backend.Guidable`."""
        if not isinstance(base, CompactModel) or base.tokenizer.words != self.tokenizer.words:
            raise ValueError("a compact model can be guided by the one it was fine-tuned from alone")
        guided = copy.copy(self)
        guided._guide = base, strength
        return guided

    @torch.inference_mode()
    def log_ratios(self, context: str, solutions: Sequence[str]) -> list[float]:
        """See `backend.Referenced`."""
        if self._guide is None:
            raise ValueError("this model does not know what it was fine-tuned from: see `guided`")
        own, base = (model._log_probabilities(context, solutions) for model in (self, self._guide[0]))
        return (own - base).tolist()

    def _log_probabilities(self, context: str, solutions: Sequence[str]) -> Tensor:
        """Of each solution, without a mask."""
        found = []
        for row in self._rows([Example(context, solution) for solution in solutions]):
            losses = self._losses(stack([row]))
            ends = np.cumsum([len(ids) for ids in row.solutions])
            found += [-part.sum() for part in torch.tensor_split(losses, ends[:-1].tolist())]
        return torch.stack(found) if found else torch.zeros(0)

    def at_work(self) -> Decoder:
        """The decoder as it is sampled from: made once after each `fit`."""
        self._at_work = self._at_work or self.decoder.at_work()
        return self._at_work

    # --- training rows ----------------------------------------------------------------------------------------------

    def _rows(self, examples: Sequence[Example]) -> list[Row]:
        return pack(examples, self.tokenizer.context, self.tokenizer.solution)

    def _loss(self, rows: list[Row]) -> tuple[Tensor, float]:
        batch = stack(rows)
        return self._losses(batch).sum(), float(batch.written.sum())

    def _losses(self, batch: Batch) -> Tensor:
        """The loss of each token of the solutions, in nats."""
        hidden = self.decoder(batch.ids, batch.positions, batch.places, batch.mask)
        logits = self.decoder.logits(hidden[batch.written])
        return F.cross_entropy(logits, batch.targets[batch.written], reduction="none")

    # --- on disk ----------------------------------------------------------------------------------------------------

    def save(self, directory: Path) -> None:
        """See `LanguageModel.save`."""
        directory.mkdir(parents=True, exist_ok=True)
        config = {"format": FORMAT, "shape": asdict(self.decoder.shape)}
        (directory / "config.json").write_text(json.dumps(config, indent=1))
        self.tokenizer.save(directory / "tokenizer.json")
        safetensors.torch.save_file(self.decoder.state_dict(), directory / "model.safetensors")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """See `LanguageModel.load`."""
        name = "config.json"
        try:
            config = json.loads((directory / name).read_text())
            if config["format"] != FORMAT:
                raise ValueError(f"format {config['format']}, this version reads {FORMAT}")
            shape = Shape(**config["shape"])
            name = "tokenizer.json"
            tokenizer = Tokenizer.load(directory / name)
            if tokenizer.size != shape.vocabulary:
                raise ValueError(f"{tokenizer.size} ids, the model has {shape.vocabulary}")
            name = "model.safetensors"
            decoder = filled(lambda: Decoder(shape), safetensors.torch.load_file(directory / name))
            decoder.frequencies = frequencies(shape)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
            raise CorruptModel(
                f"{directory / name} is missing or damaged ({str(error).splitlines()[0]}). "
                f"Restore it from a copy, or delete {directory} and run the command again to make it anew."
            ) from error
        return cls(tokenizer, decoder)


class _Reader:
    """The compact model at work; see `reader.Reader`."""

    stop = STOP
    side_by_side = True
    rows = 256

    def __init__(self, model: CompactModel) -> None:
        self.tokenizer = model.tokenizer
        self.decoder = model.at_work()

    def spell(self, symbol: str, first: bool) -> Ids:
        return self.tokenizer.symbol(symbol)

    def text(self, ids: Sequence[int]) -> str:
        return self.tokenizer.separator.join(self.tokenizer.decode(ids))

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        prompts = [self.tokenizer.context(c) for c in contexts]
        longest = max(map(len, prompts))
        # padded at the left, so that all prompts end in the same slot
        ids = torch.tensor([[PAD] * (longest - len(p)) + p for p in prompts])
        seen = torch.tensor([[False] * (longest - len(p)) + [True] * len(p) for p in prompts])
        positions = (seen.cumsum(1) - 1).clamp(min=0)
        places = positions.clone()
        places[:, -1] = 0  # after it the solution begins
        causal = torch.ones(longest, longest, dtype=torch.bool).tril()
        mask = (seen[:, None, :] & causal) | torch.eye(
            longest, dtype=torch.bool
        )  # padding sees itself: no empty softmax
        hidden, kept = self.decoder.read(ids, positions, places, mask[:, None])
        return self.decoder.logits(hidden[:, -1]).repeat_interleave(n, 0), Memory(kept, seen, n)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        return self.decoder.logits(self.decoder.step(tokens, memory))

    def keep(self, rows: Tensor, memory: Any) -> None:
        memory.keep(rows)
