"""What this CPU multiplies in: bfloat16, where it has instructions for that, is three to four times as fast as float32."""

from __future__ import annotations

import torch

PRODUCTS = (
    torch.bfloat16
    if any(getattr(torch.cpu, f"_is_{kind}_supported", bool)() for kind in ("avx512_bf16", "amx_tile"))
    else torch.float32
)
"""Of products of activations and weights; without such instructions bfloat16 would be slower"""
