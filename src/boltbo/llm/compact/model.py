"""The embedded default: a small decoder on the domain's own symbols, trained in full on a CPU in minutes.

It starts from random weights. `pretrain` teaches it the language, the tasks' vocabulary and the form of solutions, on pairs
that cost no oracle call; `fit` then teaches it which solutions are good. Solutions of one context are read in one row behind
one copy of it, each blind to the others: with ten solutions a task, that is several times less work.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from boltbo.errors import CorruptModel
from boltbo.llm.backend import Example, FitReport, LanguageModel, Progress, Prompt, Sample
from boltbo.llm.compact.decoder import Decoder, Shape, frequencies
from boltbo.llm.compact.guidance import Guided
from boltbo.llm.compact.loss import loss, threads_change_no_bit, token_losses
from boltbo.llm.compact.reading import CompactReader
from boltbo.llm.compact.tokenizer import Tokenizer
from boltbo.llm.sampling.reader import Reader
from boltbo.llm.sampling.sample import sample
from boltbo.llm.tuning.loop import Schedule, something_to_learn, train
from boltbo.llm.tuning.packing import Row, pack
from boltbo.llm.tuning.weights import filled

FORMAT = 2
"""The format of a model's folder."""
PRETRAINING_RATE, FIT_RATE = 1e-3, 3e-4


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
            separator: The text between a solution's symbols.
            width: Width of the decoder's residual stream.
            layers: Number of the decoder's layers.
            heads: Number of the attention's heads, which divide `width` into even parts.
            words: The most words of the vocabulary, bytes not counted.
            seed: Seed of the first weights.
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
            epochs: Number of passes over them, which may be a fraction.
            seed: Seed of their order.
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
            return train(self.decoder, rows, partial(loss, self.decoder), schedule, seed=seed, progress=progress)

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
        reader: Reader = self.reader()
        if self._guide is not None and self._guide[1]:
            reader = Guided(reader, self._guide[0].reader(), self._guide[1])
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
        base = self._guide[0]
        ratios = self._log_probabilities(context, solutions) - base._log_probabilities(context, solutions)
        return ratios.tolist()

    def _log_probabilities(self, context: str, solutions: Sequence[str]) -> Tensor:
        """The log-probability of each solution, without a mask."""
        log_probabilities = []
        for row in self._rows([Example(context, solution) for solution in solutions]):
            losses = token_losses(self.decoder, [row])
            ends = np.cumsum([len(ids) for ids in row.solutions])
            log_probabilities += [-part.sum() for part in torch.tensor_split(losses, ends[:-1].tolist())]
        return torch.stack(log_probabilities) if log_probabilities else torch.zeros(0)

    def reader(self) -> CompactReader:
        """A reader of the model as it is now; its decoder is prepared once after each `fit`."""
        self._at_work = self._at_work or self.decoder.at_work()
        return CompactReader(self.tokenizer, self._at_work)

    def _rows(self, examples: Sequence[Example]) -> list[Row]:
        return pack(examples, self.tokenizer.context, self.tokenizer.solution)

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
