"""The loss of a pretrained model on rows of contexts and solutions, packed where its architecture can read them so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from boltbo.llm.pretrained.caching import Readable
from boltbo.llm.tuning.packing import Batch, Row, stack


def loss(pretrained: Readable, rows: Sequence[Row]) -> tuple[Tensor, float]:
    """The sum of the losses of the tokens of the rows' solutions, in nats, and their number."""
    batch = stack(rows)
    at = batch.written.to(pretrained.device)
    targets = batch.targets.to(pretrained.device)[at]
    with pretrained.precision():
        hidden = _hidden(pretrained, rows, batch)
        # the logits of the completion alone: a vocabulary of 49,000 is most of the work
        logits = pretrained.model.get_base_model().get_output_embeddings()(hidden[at]).float()
    return F.cross_entropy(logits, targets, reduction="sum"), float(batch.written.sum())


def _hidden(pretrained: Readable, rows: Sequence[Row], batch: Batch) -> Tensor:
    """The last hidden states (B, L, width)."""
    decoder, dtype = pretrained.model.get_base_model().get_decoder(), pretrained.model.dtype
    ids = batch.ids.to(pretrained.device)
    if all(len(row.solutions) == 1 for row in rows):  # every architecture reads such rows
        seen = torch.zeros_like(batch.ids)
        for i, row in enumerate(rows):
            seen[i, : row.length] = 1
        out = decoder(input_ids=ids, attention_mask=seen.to(pretrained.device), use_cache=False)
    else:
        mask = torch.zeros(batch.mask.shape).masked_fill(~batch.mask, torch.finfo(dtype).min)
        out = decoder(
            input_ids=ids,
            attention_mask=mask.to(pretrained.device, dtype),
            position_ids=batch.positions.to(pretrained.device),
            use_cache=False,
        )
    hidden: Tensor = out.last_hidden_state
    return hidden


@torch.inference_mode()
def can_pack(pretrained: Readable) -> bool:
    """Whether this architecture reads packed rows as it reads single ones, which not all do."""
    draws = np.random.default_rng(0).integers(pretrained.model.config.vocab_size, size=(3, 12)).tolist()
    context, solutions = draws[0], draws[1:]
    packed, single = [Row(context, solutions)], [Row(context, [solution]) for solution in solutions]
    start = len(context) - 1
    try:
        with pretrained.precision():
            together = _hidden(pretrained, packed, stack(packed))[0, start:].float()
    except (TypeError, ValueError, RuntimeError):
        return False
    with pretrained.precision():
        apart = _hidden(pretrained, single, stack(single))[:, start:].flatten(0, 1).float()
    # token by token: rounding to bfloat16 makes 0.02 of difference, a wrong mask or position 0.4
    return bool(((together - apart).norm(dim=-1) < 0.1 * apart.norm(dim=-1)).all())
