"""Loading of weights from a file into a network: all of them, or an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)


def filled(make: Callable[[], Module], weights: Mapping[str, Tensor]) -> Module:
    """The network that `make` makes, on the CPU and with these weights.

    Buffers that are not saved are left to the caller.

    Raises:
        ValueError: A weight is missing, has another shape or type, or is not finite.
    """
    with torch.device("meta"):  # no memory and no random numbers for weights that are to be replaced
        network = make()
    for name, expected in network.state_dict().items():
        weight = weights.get(name)
        if weight is None or weight.shape != expected.shape or weight.dtype != expected.dtype:
            present = "nothing" if weight is None else f"{weight.dtype} {tuple(weight.shape)}"
            raise ValueError(f"{name}: expected {expected.dtype} {tuple(expected.shape)}, found {present}")
        if not weight.isfinite().all():
            raise ValueError(f"{name} holds numbers that are not finite")
    network.to_empty(device="cpu").load_state_dict(weights)  # copied: the file may be replaced while the model lives
    return network
