"""What a chart shows: lines, horizontal levels, two axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from boltbo.drawing.numbers import number


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a chart.

    Attributes:
        label: What is measured along it.
        log: Whether it is logarithmic.
        ticks: (value, label) of each tick; empty: round numbers.
    """

    label: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()

    def can_show(self, value: float) -> bool:
        """Whether the value has a place on this axis."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def at(self, value: float) -> float:
        """The place of a value, before it is scaled to the picture."""
        return math.log10(value) if self.log else value


@dataclass(frozen=True, slots=True)
class Line:
    """One line; what is not finite (or not positive on a logarithmic axis) is left out.

    Attributes:
        name: The line's name, shown when a pointer rests on it.
        style: The line's class in the palette.
        points: (x, y), in order.
        spread: (x, low, high) of an interval, each around a point.
        shown: The spread as an area, or as bars at points that are marked.
    """

    name: str
    style: str
    points: Sequence[tuple[float, float]]
    spread: Sequence[tuple[float, float, float]] = ()
    shown: Literal["area", "bars"] = "area"

    def visible(self, x: Axis, y: Axis) -> Line:
        """The line without what the axes cannot show."""
        points = [(at, value) for at, value in self.points if x.can_show(at) and y.can_show(value)]
        spread = [s for s in self.spread if x.can_show(s[0]) and y.can_show(s[1]) and y.can_show(s[2])]
        return Line(self.name, self.style, points, spread, self.shown)

    @property
    def in_words(self) -> str:
        """Where the line begins and where it ends."""
        values = [value for _, value in self.points]
        if not values:
            return f"{self.name}: none"
        return f"{self.name}: {number(values[0])} at first, {number(values[-1])} in the end"


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line at a value."""

    name: str
    style: str
    value: float

    @property
    def in_words(self) -> str:
        """The level's name and value."""
        return f"{self.name}: {number(self.value)}"


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


def spread_out(count: int, most: int) -> list[int]:
    """The places of at most `most` of `count` items, the first and the last among them, about equally far apart."""
    return list(range(count)) if count <= most else sorted({round(i * (count - 1) / (most - 1)) for i in range(most)})
