"""Readers of a pretrained model, by how the rows of a prompt use the model's cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from boltbo.llm.sampling.masking import Ids


class Readable(Protocol):
    """The part of a `PretrainedModel` that a reader needs."""

    tokenizer: Any
    model: Any
    separator: str

    @property
    def stop(self) -> int: ...

    @property
    def device(self) -> torch.device: ...

    def context(self, text: str) -> list[int]: ...

    def spell(self, symbol: str, first: bool) -> Ids: ...

    def precision(self) -> AbstractContextManager[Any]: ...


class CopyingReader:
    """A `sampling.reader.Reader` whose every row has a copy of its prompt's part of the cache."""

    side_by_side = False  # its products are large enough for threads within, and a GPU is one
    rows = 64

    def __init__(self, model: Readable) -> None:
        self.pretrained = model
        self.stop = model.stop

    def spell(self, symbol: str, first: bool) -> Ids:
        return self.pretrained.spell(symbol, first)

    def text(self, ids: Sequence[int]) -> str:
        text = str(self.pretrained.tokenizer.decode(ids, clean_up_tokenization_spaces=False)).strip()
        return text if self.pretrained.separator else text.replace(" ", "")

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        logits, cache, seen = self._read_prompts(contexts)
        cache.batch_repeat_interleave(n)
        return logits.repeat_interleave(n, 0), _Copied(cache, seen.repeat_interleave(n, 0))

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        memory.seen = F.pad(memory.seen, (0, 1), value=1)
        positions = memory.seen.sum(1, keepdim=True) - 1
        return self._forward(tokens[:, None], memory.cache, memory.seen, positions)[:, -1]

    def keep(self, rows: Tensor, memory: Any) -> None:
        places = rows.flatten().to(self.pretrained.device)
        if len(places) == len(memory.seen):  # most stay where they are: copy the others alone
            moved = (places != torch.arange(len(places), device=places.device)).nonzero()[:, 0]
            for layer in memory.cache.layers:
                layer.keys[moved], layer.values[moved] = layer.keys[places[moved]], layer.values[places[moved]]
        else:
            memory.cache.batch_select_indices(places)
        memory.seen = memory.seen[places]

    def _read_prompts(self, contexts: Sequence[str]) -> tuple[Tensor, Any, Tensor]:
        """The logits after each of P contexts, a cache of these, and which of its places (P, L) are no padding."""
        from transformers import DynamicCache

        prompts = [self.pretrained.context(c) for c in contexts]
        longest = max(map(len, prompts))
        # padded at the left, so that all prompts end in the same place
        ids = torch.tensor([[self.stop] * (longest - len(p)) + p for p in prompts])
        seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.pretrained.device)
        cache = DynamicCache()
        return self._forward(ids, cache, seen, (seen.cumsum(1) - 1).clamp(min=0), last=1)[:, -1], cache, seen

    def _forward(self, ids: Tensor, cache: Any, mask: Tensor, positions: Tensor, last: int = 0) -> Tensor:
        """The logits of the `last` tokens, of all by default."""
        with self.pretrained.precision():
            out = self.pretrained.model(
                input_ids=ids.to(self.pretrained.device), attention_mask=mask, position_ids=positions, past_key_values=cache,
                use_cache=True, logits_to_keep=last,
            )  # fmt: skip
        logits: Tensor = out.logits.float().cpu()
        return logits


@dataclass
class _Copied:
    """The cache of all rows, and which of its places (rows, L) are no padding."""

    cache: Any
    seen: Tensor


class TreeReader(CopyingReader):
    """A reader with each prompt once in the cache and the tokens of all its rows behind it; a mask says which row sees which.

    Nothing is copied for a row, nor when one is continued in several ways (tree attention, as in SpecInfer, Miao et al., 2024).
    Not every architecture takes such a mask.
    """

    rows = 128

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        logits, cache, seen = self._read_prompts(contexts)
        written = torch.zeros(len(contexts), n, 0, dtype=torch.bool, device=seen.device)
        return logits.repeat_interleave(n, 0), _Tree(cache, seen.bool(), written)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        prompts, n, _ = memory.written.shape
        itself = torch.eye(n, dtype=torch.bool, device=memory.seen.device).expand(prompts, n, n)
        memory.written = torch.cat((memory.written, itself), 2)
        sees = torch.cat((memory.seen[:, None].expand(prompts, n, -1), memory.written), 2)[:, None]
        dtype = self.pretrained.model.dtype
        mask = torch.zeros(sees.shape, dtype=dtype, device=sees.device).masked_fill(~sees, torch.finfo(dtype).min)
        positions = (memory.seen.sum(1, keepdim=True) + memory.depth).expand(prompts, n)
        memory.depth += 1
        return self._forward(tokens.view(prompts, n), memory.cache, mask, positions).flatten(0, 1)

    def keep(self, rows: Tensor, memory: Any) -> None:
        rows = rows.to(memory.seen.device)
        prompts = rows[:, 0] // memory.written.shape[1]
        memory.written = memory.written.flatten(0, 1)[rows]
        if len(prompts) < len(memory.seen):
            memory.seen = memory.seen[prompts]
            memory.cache.batch_select_indices(prompts)


@dataclass
class _Tree:
    """The cache of P prompts and of the tokens that their rows wrote.

    Attributes:
        cache: Keys and values of the prompts, and behind them those of the written tokens.
        seen: Whether each place of a prompt is no padding, (P, L).
        written: Whether each of a prompt's n rows sees each of the T written tokens, (P, n, T).
        depth: Number of tokens that each row wrote.
    """

    cache: Any
    seen: Tensor
    written: Tensor
    depth: int = 0


@torch.inference_mode()
def can_branch(model: Readable) -> bool:
    """Whether a `TreeReader` gives the logits of a `CopyingReader`, on one context that is continued in eight ways.

    The rows are written side by side and twice exchanged for copies of others, so that a row that sees another's tokens, or
    has a wrong position, gives other logits.
    """
    ids = torch.from_numpy(np.random.default_rng(0).integers(model.model.config.vocab_size, size=(8, 8)))
    turned = torch.arange(8).flip(0)
    last_logits = []
    for reader in (CopyingReader(model), TreeReader(model)):
        try:
            _, memory = reader.read(["one two three"], 1)
            reader.step(ids[0, :1], memory)
            reader.keep(torch.zeros(1, 8, dtype=torch.long), memory)
            for step in range(1, 7):
                if step in (3, 5):
                    reader.keep(turned[None] // (step - 2), memory)
                reader.step(ids[step], memory)
            last_logits.append(reader.step(ids[7], memory))
        except (TypeError, ValueError, RuntimeError, IndexError):
            return False
    copied, tree = last_logits
    # rounding to bfloat16 makes 0.02 of difference, a wrong mask or position 0.4
    return bool(((tree - copied).norm(dim=-1) < 0.1 * copied.norm(dim=-1)).all())
