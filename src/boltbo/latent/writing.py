"""Greedy decoding: the sequences that a VAE's decoder writes at points of the latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from boltbo.latent.mask import Mask
from boltbo.latent.network import BEGIN, STOP, Network


def written(network: Network, points: Tensor, longest: int, mask: Mask | None) -> list[list[int]]:
    """The most likely id after the ids so far, again and again until STOP, at each of the points.

    Args:
        network: The network of the VAE.
        points: Points of the latent space, shape (B, d).
        longest: The most ids of a sequence.
        mask: Which ids may be written at all; None allows all symbols and STOP.

    Returns:
        The ids of each sequence, without STOP.
    """
    addends, memory = network.begin(points)
    tokens = torch.full((len(points),), BEGIN)
    rows = torch.arange(len(points))
    sequences: list[list[int]] = [[] for _ in points]
    states = [] if mask is None else [mask.start()] * len(points)
    for _ in range(longest):
        logits = network.step(tokens, addends, memory)
        logits[:, :STOP] = -torch.inf
        if mask is not None:
            logits.masked_fill_(~mask.allowed(states), -torch.inf)
        tokens = logits.argmax(1)
        going = tokens != STOP
        if not going.any():
            break
        if not going.all():
            memory.keep(going.nonzero())
            tokens, addends, rows = tokens[going], addends[going], rows[going]
            states = [state for state, on in zip(states, going.tolist(), strict=False) if on]
        for row, token in zip(rows.tolist(), tokens.tolist(), strict=True):
            sequences[row].append(token)
        if mask is not None:
            states = [mask.advance(state, t) for state, t in zip(states, tokens.tolist(), strict=True)]
    return sequences
