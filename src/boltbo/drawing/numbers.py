"""Numbers as people write them."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Three digits; a dash for what is not finite."""
    if not math.isfinite(value):
        return "–"
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, 2 - size) if value else 0}f}" if -5 <= size < 7 else f"{value:.3g}"


def with_unit(value: str, unit: str) -> str:
    """The value and its unit, where it has one."""
    return f"{value} {unit}".rstrip()
