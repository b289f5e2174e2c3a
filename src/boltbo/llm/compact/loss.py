"""The compact model's loss on packed rows, and whether its gradients depend on the number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from boltbo.llm.compact.decoder import Decoder, Shape
from boltbo.llm.tuning.packing import Row, stack
from boltbo.llm.tuning.precision import PRODUCTS


def token_losses(decoder: Decoder, rows: Sequence[Row]) -> Tensor:
    """The loss of each token of the rows' solutions, in nats, in the order of the rows."""
    batch = stack(rows)
    hidden = decoder(batch.ids, batch.positions, batch.places, batch.mask)
    logits = decoder.logits(hidden[batch.written])
    return F.cross_entropy(logits, batch.targets[batch.written], reduction="none")


def loss(decoder: Decoder, rows: Sequence[Row]) -> tuple[Tensor, float]:
    """The sum of the losses of the tokens of the rows' solutions, in nats, and their number."""
    losses = token_losses(decoder, rows)
    return losses.sum(), float(len(losses))


@lru_cache
def threads_change_no_bit(threads: int) -> bool:
    """Whether this CPU gives the same gradients, to the last bit, with one thread as with `threads`.

    It is tried once on rows of several lengths. Sums of float32 products depend on the number, those of bfloat16 on some CPUs.
    """
    if PRODUCTS is torch.float32:
        return False
    before = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            decoder = Decoder(Shape(300)).eval()
            parameters = list(decoder.parameters())
            for length in (18, 40, 70, 100, 200, 700, 1024):
                ids = torch.randint(300, (length,)).tolist()
                row = Row(ids[: length // 2], [ids[length // 2 :]])
                gradients = []
                for n in (1, threads):
                    torch.set_num_threads(n)
                    gradients.append(torch.autograd.grad(loss(decoder, [row])[0], parameters))
                if not all(map(torch.equal, *gradients)):
                    return False
        return True
    finally:
        torch.set_num_threads(before)
