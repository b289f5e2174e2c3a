"""A variational autoencoder of symbol sequences: a box of a few dozen coordinates for candidates of any length.

Kingma and Welling, "Auto-encoding variational Bayes" (2014), with the transformers and the small KL weight that latent-space
optimizers of molecules, peptides and query plans use (Maus et al., 2022; Tao et al., 2025). With so small a weight the latent
codes are no standard normal, so their centre and spread are kept with the model: `space.LatentSpace` searches there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from boltbo.domain import Grammar
from boltbo.errors import CorruptModel
from boltbo.latent.mask import Mask
from boltbo.latent.network import FIRST_SYMBOL, STOP, Network, Size, negative_bound, padded
from boltbo.latent.writing import written
from boltbo.llm.backend import FitReport, Progress
from boltbo.llm.compact.decoder import frequencies
from boltbo.llm.tuning.loop import Schedule, train
from boltbo.llm.tuning.weights import filled
from boltbo.problem import FloatArray

FORMAT = 1
ROWS = 256
"""Rows of a batch outside of training."""

SUMMARIZED = 4096
"""The most sequences from which the codes' centre and spread are computed."""

Symbols = Sequence[str]


@dataclass(frozen=True)
class Reconstruction:
    """The shares that come back of sequences encoded to their means and decoded greedily.

    Attributes:
        exact: The share that came back unchanged.
        per_symbol: The share of symbols (and ends) that came back in their places.
    """

    exact: float
    per_symbol: float


@dataclass(frozen=True)
class _Row:
    """The ids of a sequence with STOP."""

    ids: list[int]

    @property
    def length(self) -> int:
        return len(self.ids)


class SequenceVAE:
    """Sequences over a fixed vocabulary as points of R^d, and back.

    Args:
        symbols: The vocabulary.
        longest: The most symbols of a decoded sequence.
        network: A network of a matching size.
    """

    def __init__(self, symbols: Symbols, longest: int, network: Network) -> None:
        self.symbols, self.longest = tuple(symbols), longest
        self.network = network.eval()
        self._ids = {symbol: FIRST_SYMBOL + i for i, symbol in enumerate(self.symbols)}

    @classmethod
    def create(
        cls,
        symbols: Symbols,
        longest: int,
        *,
        latent: int = 64,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        slots: int = 2,
        seed: int = 0,
    ) -> Self:
        """A model that has learnt nothing.

        Raises:
            ValueError: A size is impossible (see `network.Size`), or a symbol is there twice.
        """
        if len(set(symbols)) < len(symbols):
            raise ValueError("a symbol is there twice")
        size = Size(FIRST_SYMBOL + len(symbols), longest + 1, latent, width, layers, heads, slots)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(symbols, longest, Network(size))

    @property
    def dim(self) -> int:
        return self.network.size.latent

    @property
    def centre(self) -> FloatArray:
        """Mean of the training sequences' codes, shape (d,)."""
        return self.network.centre.double().numpy()

    @property
    def spread(self) -> FloatArray:
        """Standard deviation of the training sequences' codes, shape (d,)."""
        return self.network.spread.double().numpy()

    def fit(
        self,
        sequences: Iterable[Symbols],
        *,
        seed: int,
        epochs: float = 10.0,
        kl_weight: float = 1e-2,
        rate: float = 2e-3,
        tokens: int = 512,
        progress: Progress | None = None,
    ) -> FitReport:
        """Train all parameters.

        Args:
            sequences: The sequences to learn from.
            seed: Seed of their order and of the noise.
            epochs: Number of passes over them.
            kl_weight: Weight of the divergence from the standard normal, in nats a sequence, beside the symbols' losses.
            rate: The highest learning rate.
            tokens: The most tokens of a batch, padding included.
            progress: Called after each step.

        Raises:
            ValueError: There is nothing to learn from.
            FloatingPointError: The loss is not finite.
        """
        rows = [_Row(self.row(s)) for s in sequences]
        if not rows:
            raise ValueError("there is no sequence to learn from")
        schedule: Schedule[_Row] = Schedule(epochs, rate, tokens, decay=0.01)

        def loss(batch: list[_Row]) -> tuple[Tensor, float]:
            _, nats, symbols = negative_bound(self.network, padded([row.ids for row in batch]), kl_weight)
            return nats, symbols

        with torch.random.fork_rng():
            report = train(self.network, rows, loss, schedule, seed=seed, progress=progress)
        chosen = np.random.default_rng(seed).permutation(len(rows))[:SUMMARIZED]
        codes = self._codes([rows[i].ids for i in chosen])
        self.network.centre = codes.mean(0)
        self.network.spread = codes.std(0, correction=0).clamp(min=1e-3)
        return report

    def encode(self, sequences: Iterable[Symbols]) -> FloatArray:
        """The means of the sequences' codes, shape (n, d). Symbols beyond the vocabulary are passed over."""
        return self._codes([self.row(s) for s in sequences]).double().numpy()

    def mask(self, grammar: Grammar) -> Mask:
        """A mask for `decode` that allows what a task's grammar allows."""
        return Mask(grammar, self._ids, STOP, self.network.size.vocabulary)

    @torch.no_grad()
    def decode(self, points: FloatArray, mask: Mask | None = None) -> list[list[str]]:
        """The sequence that the decoder holds for the most likely, symbol by symbol, at each row of `points` (n, d).

        Args:
            points: Points of the latent space.
            mask: Which symbols may be written at all; see `mask`.

        Raises:
            ValueError: The mask's grammar asks for symbols that are not in the vocabulary.
        """
        batches = torch.split(torch.as_tensor(np.atleast_2d(points), dtype=torch.float32), ROWS)
        sequences = (ids for batch in batches for ids in written(self.network, batch, self.longest, mask))
        return [[self.symbols[token - FIRST_SYMBOL] for token in ids] for ids in sequences]

    def reconstruction(self, sequences: Sequence[Symbols]) -> Reconstruction:
        """The shares of sequences and symbols that come back; see `Reconstruction`."""
        exact = same = total = 0
        for given, decoded in zip(sequences, self.decode(self.encode(sequences)), strict=True):
            exact += list(given) == decoded
            same += sum(a == b for a, b in zip(given, decoded, strict=False)) + (len(given) == len(decoded))
            total += len(given) + 1
        return Reconstruction(exact / max(1, len(sequences)), same / max(1, total))

    def random_points(self, n: int, seed: int) -> FloatArray:
        """Points of the normal distribution with the codes' centre and spread, shape (n, d)."""
        return self.centre + self.spread * np.random.default_rng(seed).standard_normal((n, self.dim))

    def row(self, symbols: Symbols) -> list[int]:
        """The ids of a sequence, with STOP."""
        ids = [self._ids[s] for s in symbols if s in self._ids]
        return [*ids[: self.longest], STOP]

    @torch.no_grad()
    def _codes(self, rows: Sequence[list[int]]) -> Tensor:
        """The means (n, d) of the codes of rows, computed in batches of like lengths."""
        codes = torch.empty(len(rows), self.dim)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for start in range(0, len(order), ROWS):
            part = order[start : start + ROWS]
            codes[part] = self.network.read(padded([rows[i] for i in part]))[0]
        return codes

    # --- on disk ----------------------------------------------------------------------------------------------------

    def save(self, directory: Path) -> None:
        """Write the model into a directory: `config.json` and `model.safetensors`."""
        directory.mkdir(parents=True, exist_ok=True)
        config = {
            "format": FORMAT, "size": asdict(self.network.size), "longest": self.longest, "symbols": self.symbols,
        }  # fmt: skip
        (directory / "config.json").write_text(json.dumps(config, indent=1))
        safetensors.torch.save_file(self.network.state_dict(), directory / "model.safetensors")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The model that `save` wrote.

        Raises:
            CorruptModel: A file is missing, damaged or of another version.
        """
        name = "config.json"
        try:
            config = json.loads((directory / name).read_text())
            if config["format"] != FORMAT:
                raise ValueError(f"format {config['format']!r} is not {FORMAT}")
            symbols, longest, size = config["symbols"], config["longest"], Size(**config["size"])
            readable = isinstance(symbols, list) and all(isinstance(s, str) for s in symbols)
            if not readable or len(set(symbols)) < len(symbols) or size.vocabulary != FIRST_SYMBOL + len(symbols):
                raise ValueError("the symbols are not the vocabulary")
            if not isinstance(longest, int) or longest < 0:
                raise ValueError(f"longest is {longest!r}")
            name = "model.safetensors"
            network = filled(lambda: Network(size), safetensors.torch.load_file(directory / name))
            network.frequencies = frequencies(size.shape)
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise CorruptModel(
                f"{directory / name} cannot be used: {type(error).__name__}: {error}. Delete the folder: it is made anew."
            ) from error
        return cls(symbols, longest, network)
