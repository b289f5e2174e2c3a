"""Lines over a horizontal axis, laid out for `html/chart.svg.j2`, which a page and a picture both draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from boltbo.drawing.lines import Axis, Level, Line
from boltbo.drawing.numbers import number
from boltbo.drawing.ticks import ticks_between

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 30, 48

Place = Callable[[float], str]
"""Maps a value to its place in the picture, as SVG writes it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that is marked: its place, the path of the bar around it (or nothing), and what it says."""

    x: str
    y: str
    bar: str
    title: str


@dataclass(frozen=True, slots=True)
class Path:
    """A line or an area: its class, its path, what it says, and its marked points."""

    style: str
    path: str
    title: str = ""
    marks: Sequence[Mark] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, laid out: all places are those of the picture, `WIDTH` by `HEIGHT`.

    Attributes:
        in_words: What it shows, for those who do not see it.
        x_label, y_label: The names of its axes.
        x_ticks: (x, label) along the horizontal axis.
        y_ticks: (y, y of its label, label) up the vertical axis.
        areas: Intervals around lines.
        levels: (class, y, what it says) of each horizontal line.
        lines: The lines.
    """

    in_words: str
    x_label: str
    y_label: str
    x_ticks: Sequence[tuple[str, str]]
    y_ticks: Sequence[tuple[str, str, str]]
    areas: Sequence[Path]
    levels: Sequence[tuple[str, str, str]]
    lines: Sequence[Path]
    width: int = field(default=WIDTH, init=False)
    height: int = field(default=HEIGHT, init=False)
    left: int = field(default=LEFT, init=False)
    right: int = field(default=WIDTH - RIGHT, init=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its keys, each a (class of the line, name)."""

    chart: Chart
    keys: Sequence[tuple[str, str]]


def figure(lines: Sequence[Line], levels: Sequence[Level], x: Axis, y: Axis) -> Figure | None:
    """A chart of the lines and levels, and the keys of all of them; None where there is nothing to show."""
    drawn, items = chart(lines, levels, x, y), _items(lines, levels)
    return None if drawn is None else Figure(drawn, [(item.style, item.name) for item in items])


def chart(lines: Sequence[Line], levels: Sequence[Level], x: Axis, y: Axis) -> Chart | None:
    """The lines and levels, laid out; None where no line has a point to show."""
    lines = [line.visible(x, y) for line in lines]
    levels = [level for level in levels if y.can_show(level.value)]
    across = [x.at(at) for line in lines for at, _ in line.points] + [x.at(at) for at, _ in x.ticks]
    heights = [y.at(value) for line in lines for _, value in line.points]
    if not heights:
        return None
    heights += [y.at(v) for line in lines for _, *interval in line.spread for v in interval]
    heights += [y.at(level.value) for level in levels]
    margin = 0.06 * (max(heights) - min(heights)) or 0.05 * abs(heights[0]) or 0.5
    first, last, low, high = min(across), max(across), min(heights) - margin, max(heights) + margin
    if x.ticks or first == last:
        first, last = first - 0.4, last + 0.4

    def px(value: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * (x.at(value) - first) / (last - first):.1f}"

    def py(value: float) -> str:
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (high - y.at(value)) / (high - low):.1f}"

    x_ticks = x.ticks or [(t, f"{t:g}") for t in ticks_between(first, last, x.log) if x.log or t == round(t)]
    return Chart(
        in_words="; ".join(item.in_words for item in _items(lines, levels)),
        x_label=x.label,
        y_label=y.label,
        x_ticks=[(px(value), label) for value, label in x_ticks],
        y_ticks=[(py(t), f"{float(py(t)) + 4:.1f}", f"{t:g}") for t in ticks_between(low, high, y.log)],
        areas=[_area(line, px, py) for line in lines if line.spread and line.shown == "area"],
        levels=[(level.style, py(level.value), level.in_words) for level in levels],
        lines=[_line(line, px, py) for line in lines if line.points],
    )


def _items(lines: Sequence[Line], levels: Sequence[Level]) -> list[Line | Level]:
    return [*lines, *levels]


def _area(line: Line, px: Place, py: Place) -> Path:
    above = [f"{px(at)} {py(top)}" for at, _, top in line.spread]
    below = [f"{px(at)} {py(bottom)}" for at, bottom, _ in reversed(line.spread)]
    return Path(line.style, f"M{' L'.join([*above, *below])}Z")


def _line(line: Line, px: Place, py: Place) -> Path:
    path = " L".join(f"{px(at)} {py(value)}" for at, value in line.points)
    return Path(line.style, f"M{path}", line.in_words, _marks(line, px, py) if line.shown == "bars" else ())


def _marks(line: Line, px: Place, py: Place) -> list[Mark]:
    intervals = {at: (low, high) for at, low, high in line.spread}
    marks = []
    for at, value in line.points:
        title, bar = f"{line.name}: {number(value)}", ""
        if at in intervals:
            low, high = intervals[at]
            title += f" ({number(low)} to {number(high)})"
            bar = f"M{px(at)} {py(low)}V{py(high)}"
        marks.append(Mark(px(at), py(value), bar, title))
    return marks
