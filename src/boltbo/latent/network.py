"""The network of the sequence VAE: a transformer that reads a sequence into a Gaussian, and one that writes it back.

Both are stacks of the small language model's blocks. Shapes: B rows, L tokens of a row, D width, d latent, S slots.

What stands at each place of a sequence goes into the Gaussian by that place's own weights, and what a latent point says is
added to each place by that place's own weights (and stands as S tokens before the sequence): to find out by attention alone
what stood where takes such a network many times longer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from boltbo.llm.compact.decoder import Block, Memory, Shape, frequencies

PAD, BEGIN, STOP = range(3)
FIRST_SYMBOL = 3


@dataclass(frozen=True)
class Size:
    """The size of a network; `layers` of the encoder and as many of the decoder; no row has more tokens than `places`.

    Raises:
        ValueError: A number is not a positive one, or the heads do not divide the width into even parts.
    """

    vocabulary: int
    places: int
    latent: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4
    slots: int = 2

    def __post_init__(self) -> None:
        if not all(isinstance(n, int) and n > 0 for n in (self.places, self.latent, self.slots)):
            raise ValueError(f"expected positive whole numbers, got {self}")
        _ = self.shape

    @property
    def shape(self) -> Shape:
        return Shape(self.vocabulary, self.width, self.layers, self.heads)


class Network(nn.Module):
    """Ids (B, L) to a Gaussian of the latent space; a latent point (B, d) to logits of ids.

    Attributes:
        centre: (d,), the mean of what was learnt from, in the latent space.
        spread: (d,), its standard deviation.
    """

    frequencies: Tensor
    centre: Tensor
    spread: Tensor

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.size = size
        shape = size.shape
        self.embedding = nn.Embedding(size.vocabulary, size.width)
        self.readers = nn.ModuleList(Block(shape) for _ in range(size.layers))
        self.after_reading = nn.RMSNorm(size.width)
        self.to_latent = nn.Parameter(torch.empty(size.places * size.width, 2 * size.latent))
        self.from_latent = nn.Linear(size.latent, (size.slots + size.places) * size.width)
        self.writers = nn.ModuleList(Block(shape) for _ in range(size.layers))
        self.after_writing = nn.RMSNorm(size.width)
        self.register_buffer("frequencies", frequencies(shape), persistent=False)
        self.register_buffer("centre", torch.zeros(size.latent))
        self.register_buffer("spread", torch.ones(size.latent))
        for name, p in self.named_parameters():
            if p.dim() > 1:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / (4 * size.layers) ** 0.5 if deep else 0.02)
        nn.init.normal_(self.from_latent.weight, std=0.05)

    def read(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances (B, d) of rows that are padded at the right."""
        seen, x = ids != PAD, self.embedding(ids)
        rotation = self._rotation(torch.arange(ids.shape[1])[None])
        for block in self.readers:
            x, _ = block(x, rotation, seen[:, None, None, :])
        x = (self.after_reading(x) * seen[:, :, None]).flatten(1)
        mean, log_variance = (x @ self.to_latent[: x.shape[1]]).chunk(2, dim=1)
        # little noise at first: the decoder must find out that the point says anything
        return mean, (log_variance - 4.0).clamp(-12.0, 4.0)

    def write(self, points: Tensor, ids: Tensor) -> Tensor:
        """Hidden states (B, L, D) after BEGIN and each of the ids but the last one, for rows padded at the right."""
        prefix, said = self._latent(points, ids.shape[1])
        before = F.pad(ids[:, :-1], (1, 0), value=BEGIN)
        x = torch.cat((prefix, self.embedding(before) + said), dim=1)
        rotation = self._rotation(torch.arange(x.shape[1])[None])
        for block in self.writers:
            x, _ = block(x, rotation, None)
        out: Tensor = self.after_writing(x[:, self.size.slots :])
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)

    def begin(self, points: Tensor) -> tuple[Tensor, Memory]:
        """What is added to each place (B, places, D), and a memory of the points' slots, for `step`."""
        x, said = self._latent(points, self.size.places)
        rotation = self._rotation(torch.arange(self.size.slots)[None])
        kept = []
        for block in self.writers:
            x, kv = block(x, rotation, None)
            kept.append(kv)
        seen = torch.ones(len(points), self.size.slots, dtype=torch.bool)
        return said, Memory(torch.stack(kept), seen, 1, self.size.places)

    def step(self, tokens: Tensor, said: Tensor, memory: Memory) -> Tensor:
        """Logits (B, V) after one more token of each row, which `memory` remembers."""
        memory.grow()
        rotation = self._rotation(memory.positions()[0])
        x = self.embedding(tokens[:, None]) + said[:, memory.length, None]
        for i, block in enumerate(self.writers):
            assert isinstance(block, Block)
            x = block.step(x, rotation, memory, i)
        memory.length += 1
        return self.logits(self.after_writing(x[:, 0]))

    def _latent(self, points: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The slots (B, S, D), and what is added to the first places (B, length, D)."""
        used = (self.size.slots + length) * self.size.width
        said = F.linear(points, self.from_latent.weight[:used], self.from_latent.bias[:used])
        said = said.view(len(points), -1, self.size.width)
        return said[:, : self.size.slots], said[:, self.size.slots :]

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions[:, None, :, None] * self.frequencies
        return angles.cos(), angles.sin()
