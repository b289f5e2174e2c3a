"""A small decoder in the manner of LLaMA: RMSNorm, rotary positions, SwiGLU, tied embeddings.

Shapes: B rows, L tokens of a row, D width, H heads, C = D / H, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """The size of a decoder."""

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 4

    @property
    def hidden(self) -> int:
        """Width of the feed-forward part: 8/3 of `width`, a multiple of 32."""
        return -(-self.width * 8 // 3 // 32) * 32


class Cache:
    """Keys and values of what was read so far, (layers, 2, B, H, room, C), filled up to `length`."""

    def __init__(self, shape: Shape, rows: int, room: int) -> None:
        self.data = torch.zeros(shape.layers, 2, rows, shape.heads, room, shape.width // shape.heads)
        self.length = 0

    def select(self, rows: Tensor, room: int | None = None) -> Cache:
        """The cache of some rows (repeats allowed), with more room if asked."""
        new = object.__new__(Cache)
        new.data, new.length = self.data[:, :, rows], self.length
        if room is not None and room > new.data.shape[4]:
            new.data = F.pad(new.data, (0, 0, 0, room - new.data.shape[4]))
        return new


class Block(nn.Module):
    """Attention, then the feed-forward part, both with a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.before_attention = nn.RMSNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.before_feed = nn.RMSNorm(shape.width)
        self.gate_up = nn.Linear(shape.width, 2 * shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(
        self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor | None, kv: Tensor | None, at: int
    ) -> Tensor:
        """x (B, L, D); mask broadcastable to (B, H, L, keys), None: causal; kv (2, B, H, room, C), written at `at`."""
        rows, length, width = x.shape
        q, k, v = self.qkv(self.before_attention(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = rotate(q, rotation), rotate(k, rotation)
        if kv is not None:
            kv[0, :, :, at : at + length], kv[1, :, :, at : at + length] = k, v
            k, v = kv[0, :, :, : at + length], kv[1, :, :, : at + length]
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None and length > 1)
        x = x + self.out(a.transpose(1, 2).reshape(rows, length, width))
        gate, up = self.gate_up(self.before_feed(x)).chunk(2, dim=-1)
        out: Tensor = x + self.down(F.silu(gate) * up)
        return out


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al., 2021) of x (B, H, L, C)."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Decoder(nn.Module):
    """Ids (B, L) to hidden states (B, L, D); `logits` turns hidden states into (…, V)."""

    frequencies: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        half = shape.width // shape.heads // 2
        self.register_buffer("frequencies", 10000.0 ** (-torch.arange(half) / half), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / (2 * shape.layers) ** 0.5 if deep else 0.02)

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Hidden states of `ids`; with a cache, `ids` continue what it holds and are added to it."""
        angles = positions[:, None, :, None] * self.frequencies
        rotation = (angles.cos(), angles.sin())
        x = self.embedding(ids)
        at = cache.length if cache is not None else 0
        for i, block in enumerate(self.blocks):
            x = block(x, rotation, mask, cache.data[i] if cache is not None else None, at)
        if cache is not None:
            cache.length += ids.shape[1]
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)
