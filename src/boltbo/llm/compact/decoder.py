"""A small decoder in the manner of LLaMA: RMSNorm, rotary positions, SwiGLU, tied embeddings.

Every other head counts positions anew from where the solution begins, so that the same place of the context is always as
far away: a solution that is a changed copy of the context (a relative of a peptide) is learnt from far fewer
pairs, and other tasks have the ordinary positions of the other heads.

Where the CPU has instructions for it, products are computed in bfloat16 with sums in float32, which is four times as fast.
Weights that learn, the residual stream, norms and attention stay in float32.

Shapes: B rows, L tokens of a row, D width, H heads, C = D / H, V vocabulary; P prompts with n rows each when sampling.
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from boltbo.llm.tuning.precision import PRODUCTS


@dataclass(frozen=True)
class Shape:
    """The size of a decoder.

    Attributes:
        vocabulary: Number of ids.
        width: Width of the residual stream.
        layers: Number of layers, each of attention and a feed-forward part.
        heads: Number of an attention's heads.

    Raises:
        ValueError: A number is not a positive one, or the heads do not divide the width into even parts.
    """

    vocabulary: int
    width: int = 256
    layers: int = 4
    heads: int = 4

    def __post_init__(self) -> None:
        numbers = (self.vocabulary, self.width, self.layers, self.heads)
        if not all(isinstance(n, int) and n > 0 for n in numbers):
            raise ValueError(f"expected positive whole numbers, got {self}")
        if self.width % (2 * self.heads):
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width} into even parts")

    @property
    def hidden(self) -> int:
        """Width of the feed-forward part: 8/3 of `width`, a multiple of 32."""
        return -(-self.width * 8 // 3 // 32) * 32


class Memory:
    """A cache of keys and values: of P prompts, each once, and of the tokens that each of their n rows wrote since.

    Attributes:
        prompt: Keys and values of the prompts, (layers, 2, P, H, L, C), padded at the left.
        seen: Whether each place of `prompt` is no padding, (P, L).
        written: Keys and values of the rows in each layer, (P * n, H, room, C), filled up to `length`. They are many
            tensors, because malloc would give a single large one fresh pages each time, which cost more than to fill them.
        length: Number of tokens that each row wrote.
    """

    def __init__(self, prompt: Tensor, seen: Tensor, n: int, room: int = 16) -> None:
        layers, _, prompts, heads, _, size = prompt.shape
        self.prompt, self.seen, self.n, self.room = prompt, seen, n, room
        shape = (prompts * n, heads, room, size)
        self.written = [(torch.empty(shape), torch.empty(shape)) for _ in range(layers)]
        self.length = 0

    def positions(self) -> tuple[Tensor, Tensor]:
        """The position of each row's next token and its place in the solution, each (P * n, 1)."""
        positions = (self.seen.sum(1) + self.length).repeat_interleave(self.n)[:, None]
        return positions, torch.full_like(positions, self.length + 1)

    def grow(self) -> None:
        """Make room for one more token."""
        if self.length == self.room:
            self.room *= 2
            self.written = [(_wider(k, self.room), _wider(v, self.room)) for k, v in self.written]

    def keep(self, rows: Tensor) -> None:
        """Forget all rows but these (P', n'): n' rows of each of P' prompts, given by their places among all.

        A row may be given more than once. Where as many rows stay as there were, those that do not move cost nothing.
        """
        prompts, places = rows[:, 0] // self.n, rows.flatten()
        if rows.shape == (len(self.seen), self.n):
            moved = (places != torch.arange(len(places))).nonzero()[:, 0]
            for x in itertools.chain.from_iterable(self.written):
                x[moved, :, : self.length] = x[places[moved], :, : self.length]
            return
        if len(prompts) < len(self.seen):
            self.prompt, self.seen = self.prompt[:, :, prompts], self.seen[prompts]
        self.n = rows.shape[1]
        self.written = [(k[places], v[places]) for k, v in self.written]


def _wider(x: Tensor, room: int) -> Tensor:
    wide = x.new_empty(*x.shape[:2], room, x.shape[3])
    wide[:, :, : x.shape[2]] = x
    return wide


def product(x: Tensor, weight: Tensor) -> Tensor:
    """x (..., I) times weight (O, I), as float32 (..., O)."""
    return F.linear(x.to(PRODUCTS), weight.to(PRODUCTS)).float()


class Linear(nn.Linear):
    """A linear layer without bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return product(x, self.weight)


class Block(nn.Module):
    """Attention, then the feed-forward part, both with a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.before_attention = nn.RMSNorm(shape.width)
        self.qkv = Linear(shape.width, 3 * shape.width)
        self.out = Linear(shape.width, shape.width)
        self.before_feed = nn.RMSNorm(shape.width)
        self.gate_up = Linear(shape.width, 2 * shape.hidden)
        self.down = Linear(shape.hidden, shape.width)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """x (B, L, D) after the block, and keys and values (2, B, H, L, C).

        The mask is broadcastable to (B, H, L, L); None means causal.
        """
        q, k, v = self._heads(x, rotation)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self._rest(x, a), torch.stack((k, v))

    def step(self, x: Tensor, rotation: tuple[Tensor, Tensor], memory: Memory, layer: int) -> Tensor:
        """x (P * n, 1, D) after the block, for one token of each row behind those that `memory` holds.

        The rows of a prompt share its keys and values, which are read once a step, not copied and not read n times.
        """
        q, k, v = self._heads(x, rotation)
        (all_keys, all_values), at = memory.written[layer], memory.length
        all_keys[:, :, at : at + 1], all_values[:, :, at : at + 1] = k, v
        keys, values = all_keys[:, :, : at + 1], all_values[:, :, : at + 1]
        shared_keys, shared_values = memory.prompt[layer]
        prompts, heads, length, size = shared_keys.shape
        together = q.view(prompts, memory.n, heads, size).transpose(1, 2)  # (P, H, n, C)
        on_prompt = (together @ shared_keys.transpose(2, 3)).masked_fill(~memory.seen[:, None, None], -torch.inf)
        on_prompt = on_prompt.transpose(1, 2).reshape(-1, heads, 1, length)
        weights = (torch.cat((on_prompt, q @ keys.transpose(2, 3)), dim=-1) * size**-0.5).softmax(-1)
        p = weights[..., :length].view(prompts, memory.n, heads, length).transpose(1, 2)
        a = (p @ shared_values).transpose(1, 2).reshape(-1, heads, 1, size) + weights[..., length:] @ values
        return self._rest(x, a)

    def _heads(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        rows, length, _ = x.shape
        q, k, v = self.qkv(self.before_attention(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return rotate(q, rotation), rotate(k, rotation), v

    def _rest(self, x: Tensor, a: Tensor) -> Tensor:
        x = x + self.out(a.transpose(1, 2).reshape(x.shape))
        gate, up = self.gate_up(self.before_feed(x)).chunk(2, dim=-1)
        out: Tensor = x + self.down(F.silu(gate) * up)
        return out


def frequencies(shape: Shape) -> Tensor:
    """The frequencies by which positions turn the pairs of a head, (C / 2,)."""
    half = shape.width // shape.heads // 2
    return 10000.0 ** (-torch.arange(half) / half)


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding (Su et al., 2021) of x (B, H, L, C) by angles' cosine and sine (B, H, L, C / 2)."""
    cos, sin = rotation
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


class Decoder(nn.Module):
    """A network from ids (B, L) to hidden states (B, L, D), which `logits` turns into (…, V)."""

    frequencies: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        self.register_buffer("frequencies", frequencies(shape), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                deep = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / (2 * shape.layers) ** 0.5 if deep else 0.02)

    def forward(self, ids: Tensor, positions: Tensor, places: Tensor, mask: Tensor | None = None) -> Tensor:
        """Hidden states of whole rows; positions and places (B, L) as in `packing.Batch`."""
        return self.read(ids, positions, places, mask)[0]

    def read(self, ids: Tensor, positions: Tensor, places: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Hidden states, and the keys and values of all layers (layers, 2, B, H, L, C)."""
        rotation, x = self._rotation(positions, places), self.embedding(ids).float()
        keys_and_values = []
        for block in self.blocks:
            x, kv = block(x, rotation, mask)
            keys_and_values.append(kv)
        return self.norm(x), torch.stack(keys_and_values)

    def step(self, tokens: Tensor, memory: Memory) -> Tensor:
        """Hidden states (P * n, D) after one more token of each row, which `memory` remembers."""
        memory.grow()
        rotation, x = self._rotation(*memory.positions()), self.embedding(tokens[:, None]).float()
        for i, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            x = block.step(x, rotation, memory, i)
        memory.length += 1
        out: Tensor = self.norm(x[:, 0])
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        return product(hidden, self.embedding.weight)

    def at_work(self) -> Decoder:
        """A decoder with the same outputs that does not learn: its weights need no conversion at every step."""
        if PRODUCTS is torch.float32:
            return self
        frozen = copy.deepcopy(self).requires_grad_(False)
        for module in frozen.modules():
            if isinstance(module, Linear | nn.Embedding):
                module.to(PRODUCTS)
        return frozen

    def _rotation(self, positions: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        angles = torch.stack((positions, places), 1)[..., None] * self.frequencies
        kinds = torch.arange(self.shape.heads) % 2
        return angles.cos()[:, kinds], angles.sin()[:, kinds]
