"""The compact model while it is sampled from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from boltbo.llm.compact.decoder import Decoder, Memory
from boltbo.llm.compact.tokenizer import PAD, STOP, Tokenizer
from boltbo.llm.sampling.masking import Ids


class CompactReader:
    """A `sampling.reader.Reader` of a compact model."""

    stop = STOP
    side_by_side = True
    rows = 256

    def __init__(self, tokenizer: Tokenizer, decoder: Decoder) -> None:
        self.tokenizer = tokenizer
        self.decoder = decoder

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
        itself = torch.eye(longest, dtype=torch.bool)  # padding sees itself: no empty softmax
        mask = (seen[:, None, :] & causal) | itself
        hidden, keys_and_values = self.decoder.read(ids, positions, places, mask[:, None])
        return self.decoder.logits(hidden[:, -1]).repeat_interleave(n, 0), Memory(keys_and_values, seen, n)

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        return self.decoder.logits(self.decoder.step(tokens, memory))

    def keep(self, rows: Tensor, memory: Any) -> None:
        memory.keep(rows)
