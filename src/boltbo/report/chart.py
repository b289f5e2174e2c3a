"""Lines over a horizontal axis as inline SVG: no library, no network, colours of the page (see `style.css`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from boltbo.report.html import number

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 30, 48
_MOST = 7
"""Ticks of an axis, at most"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line; what is not finite (or not positive on a logarithmic axis) is left out.

    Attributes:
        name: Shown when a pointer rests on it.
        style: Its class in the style sheet.
        points: (x, y), in order.
        spread: (x, low, high) of an interval, each around a point.
        shown: The spread as an area, or as bars at points that are marked.
    """

    name: str
    style: str
    points: Sequence[tuple[float, float]]
    spread: Sequence[tuple[float, float, float]] = ()
    shown: Literal["area", "bars"] = "area"


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line."""

    name: str
    style: str
    value: float


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction. `ticks`: (value, label) where they are not to be found here."""

    label: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()

    def can_show(self, value: float) -> bool:
        return math.isfinite(value) and (value > 0 or not self.log)

    def at(self, value: float) -> float:
        return math.log10(value) if self.log else value


def chart(lines: Sequence[Line], levels: Sequence[Level], x: Axis, y: Axis) -> str:
    """The picture; nothing where there is nothing to show."""
    lines = [_shown(line, x, y) for line in lines]
    levels = [level for level in levels if y.can_show(level.value)]
    across = [x.at(at) for line in lines for at, _ in line.points] + [x.at(at) for at, _ in x.ticks]
    heights = [y.at(value) for line in lines for _, value in line.points]
    if not heights:
        return ""
    heights += [y.at(v) for line in lines for _, *spread in line.spread for v in spread]
    heights += [y.at(level.value) for level in levels]
    margin = 0.06 * (max(heights) - min(heights)) or 0.05 * abs(heights[0]) or 0.5
    first, last, low, high = min(across), max(across), min(heights) - margin, max(heights) + margin
    if x.ticks or first == last:
        first, last = first - 0.4, last + 0.4

    def px(value: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (x.at(value) - first) / (last - first):.1f}"

    def py(value: float) -> str:
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (high - y.at(value)) / (high - low):.1f}"

    told = "; ".join([*map(_told, lines), *(f"{level.name}: {number(level.value)}" for level in levels)])
    parts = [f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">']
    for tick in _ticks(low, high, y.log):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(tick)}" y2="{py(tick)}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 6}" y="{float(py(tick)) + 4:.1f}">{tick:g}</text>')
    for value, label in x.ticks or [(t, f"{t:g}") for t in _ticks(first, last, x.log) if x.log or t == round(t)]:
        parts.append(f'<text class="tick mid" x="{px(value)}" y="{HEIGHT - BOTTOM + 20}">{escape(label)}</text>')
    parts.append(f'<text class="tick mid" x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 5}">{escape(x.label)}</text>')
    parts.append(f'<text class="tick" x="4" y="16">{escape(y.label)}</text>')
    for line in lines:
        if line.spread and line.shown == "area":
            above = [f"{px(at)} {py(top)}" for at, _, top in line.spread]
            below = [f"{px(at)} {py(bottom)}" for at, bottom, _ in reversed(line.spread)]
            parts.append(f'<path class="area {escape(line.style)}" d="M{" L".join([*above, *below])}Z"/>')
    for level in levels:
        title = f"<title>{escape(level.name)}: {number(level.value)}</title>"
        parts.append(
            f'<line class="level {escape(level.style)}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py(level.value)}" '
            f'y2="{py(level.value)}">{title}</line>'
        )
    for line in lines:
        path = " L".join(f"{px(at)} {py(value)}" for at, value in line.points)
        if path:
            parts.append(
                f'<path class="{escape(line.style)}" d="M{path}"><title>{escape(_told(line))}</title></path>'
                + (_marked(line, px, py) if line.shown == "bars" else "")
            )
    return "".join([*parts, "</svg>"])


def staircase(values: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of a staircase over 1, 2, …: a point where the value changes, one below it, and the last."""
    points: list[tuple[float, float]] = []
    for call, value in enumerate(values, 1):
        if not math.isfinite(value):
            continue
        if not points:
            points.append((call, value))
        elif value != points[-1][1]:
            points += [(call, points[-1][1]), (call, value)]
    if points and points[-1][0] < len(values):
        points.append((len(values), points[-1][1]))
    return points


def spread_out(items: Sequence[str], most: int) -> list[int]:
    """The places of at most `most` of the items, the first and the last among them, about equally far apart."""
    n = len(items)
    return list(range(n)) if n <= most else sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})


def _shown(line: Line, x: Axis, y: Axis) -> Line:
    points = [(at, value) for at, value in line.points if x.can_show(at) and y.can_show(value)]
    spread = [s for s in line.spread if x.can_show(s[0]) and y.can_show(s[1]) and y.can_show(s[2])]
    return Line(line.name, line.style, points, spread, line.shown)


def _marked(line: Line, px: object, py: object) -> str:
    assert callable(px)
    assert callable(py)
    style, spread = escape(line.style), {at: (low, high) for at, low, high in line.spread}
    parts = []
    for at, value in line.points:
        told = f"{line.name}: {number(value)}"
        if at in spread:
            low, high = spread[at]
            told += f" ({number(low)} to {number(high)})"
            parts.append(f'<path class="bar {style}" d="M{px(at)} {py(low)}V{py(high)}"/>')
        parts.append(
            f'<circle class="{style}" cx="{px(at)}" cy="{py(value)}" r="4"><title>{escape(told)}</title></circle>'
        )
    return "".join(parts)


def _ticks(low: float, high: float, log: bool) -> list[float]:
    """Round numbers of an axis from `low` to `high` (their logarithms, if `log`): 1, 2, 5 times powers of ten, only some of
    these where they are plenty; equal steps where that says more."""
    if not log:
        return _even(low, high)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks: list[float] = []
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{f}e{p}") for p in powers for f in factors if low <= math.log10(float(f"{f}e{p}")) <= high]
        if len(ticks) <= _MOST:
            break
    else:
        ticks = ticks[:: -(-len(ticks) // _MOST)]
    return ticks if len(ticks) > 2 else _even(10**low, 10**high)


def _even(low: float, high: float) -> list[float]:
    rough = (high - low) / 5
    step = 10 ** math.floor(math.log10(rough))
    step *= next(f for f in (1, 2, 5, 10) if f * step >= rough)
    first = math.ceil(low / step)
    return [float(f"{i * step:.10g}") for i in range(first, math.floor(high / step) + 1)]


def _told(line: Line) -> str:
    values = [value for _, value in line.points]
    if not values:
        return f"{line.name}: none"
    return f"{line.name}: {number(values[0])} at first, {number(values[-1])} in the end"


def steps_of(lines: Iterable[tuple[str, str, Sequence[float]]]) -> list[Line]:
    """(name, style, value after each call) as staircases."""
    return [Line(name, style, staircase(values)) for name, style, values in lines]
