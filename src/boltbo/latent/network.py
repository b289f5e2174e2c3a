"""The network of the sequence VAE: a transformer that reads a sequence into a Gaussian, and one that writes it back.

Both are stacks of the small language model's blocks. Shapes: B rows, L tokens of a row, D width, d latent, S slots.

Each place of a sequence has weights of its own, by which its hidden state goes into the Gaussian and by which a latent point
is added to it (the point also stands as S tokens before the sequence): by attention alone such a network takes many times
longer to learn which symbol stood where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from boltbo.llm.compact.decoder import Block, Memory, Shape, frequencies

PAD, BEGIN, STOP = range(3)
FIRST_SYMBOL = 3


@dataclass(frozen=True)
class Size:
    """The size of a network, whose encoder and decoder have `layers` each; no row has more tokens than `places`.

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
    """A network from ids (B, L) to Gaussians of the latent space, and from latent points (B, d) to logits of ids.

    Attributes:
        centre: Mean of the training sequences' codes, shape (d,).
        spread: Standard deviation of these codes, shape (d,).
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
        prefix, addends = self._latent(points, ids.shape[1])
        before = F.pad(ids[:, :-1], (1, 0), value=BEGIN)
        x = torch.cat((prefix, self.embedding(before) + addends), dim=1)
        rotation = self._rotation(torch.arange(x.shape[1])[None])
        for block in self.writers:
            x, _ = block(x, rotation, None)
        out: Tensor = self.after_writing(x[:, self.size.slots :])
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)

    def begin(self, points: Tensor) -> tuple[Tensor, Memory]:
        """The addend of each place (B, places, D), and a memory of the points' slots, for `step`."""
        x, addends = self._latent(points, self.size.places)
        rotation = self._rotation(torch.arange(self.size.slots)[None])
        keys_and_values = []
        for block in self.writers:
            x, kv = block(x, rotation, None)
            keys_and_values.append(kv)
        seen = torch.ones(len(points), self.size.slots, dtype=torch.bool)
        return addends, Memory(torch.stack(keys_and_values), seen, 1, self.size.places)

    def step(self, tokens: Tensor, addends: Tensor, memory: Memory) -> Tensor:
        """Logits (B, V) after one more token of each row, which `memory` remembers."""
        memory.grow()
        rotation = self._rotation(memory.positions()[0])
        x = self.embedding(tokens[:, None]) + addends[:, memory.length, None]
        for i, block in enumerate(self.writers):
            assert isinstance(block, Block)
            x = block.step(x, rotation, memory, i)
        memory.length += 1
        return self.logits(self.after_writing(x[:, 0]))

    def _latent(self, points: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """The slots (B, S, D), and the addends of the first places (B, length, D)."""
        used = (self.size.slots + length) * self.size.width
        addends = F.linear(points, self.from_latent.weight[:used], self.from_latent.bias[:used])
        addends = addends.view(len(points), -1, self.size.width)
        return addends[:, : self.size.slots], addends[:, self.size.slots :]

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        angles = positions[:, None, :, None] * self.frequencies
        return angles.cos(), angles.sin()


def negative_bound(network: Network, ids: Tensor, kl_weight: float) -> tuple[Tensor, Tensor, float]:
    """The codes' means (B, d) of rows of ids (B, L), their sum of losses in nats, and their number of symbols and STOPs."""
    mean, log_variance = network.read(ids)
    points = mean + torch.randn_like(mean) * (log_variance / 2).exp()
    targets = ids != PAD
    logits = network.logits(network.write(points, ids)[targets])
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum()
    nats = F.cross_entropy(logits, ids[targets], reduction="sum") + kl_weight * divergence
    return mean, nats, float(targets.sum())


def padded(rows: Sequence[list[int]]) -> Tensor:
    """Ids (B, L), filled up with PAD."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
