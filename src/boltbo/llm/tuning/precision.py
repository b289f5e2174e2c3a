"""The precision of products on this CPU: bfloat16 is three to four times as fast as float32 where there are instructions."""

from __future__ import annotations

import torch

PRODUCTS = (
    torch.bfloat16
    if any(getattr(torch.cpu, f"_is_{kind}_supported", bool)() for kind in ("avx512_bf16", "amx_tile"))
    else torch.float32
)
"""The type in which activations and weights are multiplied; without such instructions bfloat16 would be slower."""
