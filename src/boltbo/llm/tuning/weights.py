"""Weights from a file into a network, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def filled(make: Callable[[], Module], weights: Mapping[str, Tensor]) -> Module:
    """The network that `make` makes, on the CPU and with these weights. What is no weight of it, such as buffers that are not
    saved, is left to the caller.

    Raises:
        ValueError: They are not all there, of its shapes and types, and finite.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are to be replaced
        network = make()
    for name, expected in network.state_dict().items():
        weight = weights.get(name)
        if weight is None or weight.shape != expected.shape or weight.dtype != expected.dtype:
            found = "nothing" if weight is None else f"{weight.dtype} {tuple(weight.shape)}"
            raise ValueError(f"{name}: expected {expected.dtype} {tuple(expected.shape)}, found {found}")
        if not weight.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    network.to_empty(device="cpu").load_state_dict(weights)  # copied: the file may be replaced while the model lives
    return network
