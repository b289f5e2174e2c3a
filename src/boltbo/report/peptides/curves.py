"""Best-so-far curves as inline SVG: no library, no network, colours of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 30, 44


def curve(lines: Sequence[tuple[str, str, Sequence[float]]], level: tuple[str, float], unit: str) -> str:
    """Falling lines over oracle calls, the vertical axis logarithmic.

    Args:
        lines: (name, class of its style, value after each call); what is not finite is left out.
        level: A horizontal line: its name and value.
        unit: Of the vertical axis.
    """
    shown = [v for _, _, values in lines for v in (*values, level[1]) if math.isfinite(v) and v > 0]
    calls = max((len(values) for _, _, values in lines), default=0)
    if not shown or calls < 2:
        return ""
    low, high = math.log10(min(shown)) - 0.05, math.log10(max(shown)) + 0.05

    def x(call: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (call - 1) / max(calls - 1, 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log10(value)) / (high - low)

    parts = [
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape("; ".join(_told(name, values) for name, _, values in lines))}">'
    ]
    for tick in _log_ticks(low, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{y(tick) + 4:.1f}">{tick:g}</text>')
    for call in _ticks(calls):
        parts.append(f'<text class="tick mid" x="{x(call):.1f}" y="{HEIGHT - BOTTOM + 20}">{call}</text>')
    parts.append(f'<text class="tick mid" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 4}">oracle calls</text>')
    parts.append(f'<text class="tick" x="4" y="14">{escape(unit)}</text>')
    if level[1] > 0 and math.isfinite(level[1]):
        at = y(level[1])
        parts.append(f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
    for _, style, values in lines:
        points = _steps(values)
        path = " ".join(f"{'L' if i else 'M'}{x(call):.1f} {y(value):.1f}" for i, (call, value) in enumerate(points))
        if path:
            parts.append(f'<path class="{escape(style)}" d="{path}"/>')
    return "".join([*parts, "</svg>"])


def _steps(values: Sequence[float]) -> list[tuple[int, float]]:
    """The corners of a staircase: a point where the value changes, one before it, and the last."""
    points: list[tuple[int, float]] = []
    for call, value in enumerate(values, 1):
        if not (math.isfinite(value) and value > 0):
            continue
        if not points:
            points.append((call, value))
        elif value != points[-1][1]:
            points += [(call, points[-1][1]), (call, value)]
    if points and points[-1][0] < len(values):
        points.append((len(values), points[-1][1]))
    return points


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten within the axis, only the powers where that is plenty."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [f * 10.0**p for p in powers for f in factors if low <= math.log10(f * 10.0**p) <= high]
        if len(ticks) <= 7:
            break
    return ticks


def _ticks(calls: int) -> list[int]:
    """The first call and about four round numbers up to the last."""
    step = 10 ** math.floor(math.log10(max(calls / 4, 1)))
    step *= next(f for f in (1, 2, 5, 10) if calls / (step * f) <= 5)
    return [1, *(c for c in range(step, calls + 1, step) if c > 1)]


def _told(name: str, values: Sequence[float]) -> str:
    finite = [v for v in values if math.isfinite(v)]
    return f"{name}: {finite[0]:.3g} at first, {finite[-1]:.3g} in the end" if finite else f"{name}: none"
