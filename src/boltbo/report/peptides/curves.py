"""Best-so-far curves of a search."""

from __future__ import annotations

from collections.abc import Sequence

from boltbo.report.chart import Axis, Level, chart, steps_of


def curve(lines: Sequence[tuple[str, str, Sequence[float]]], level: tuple[str, float], unit: str) -> str:
    """Falling lines over oracle calls, the vertical axis logarithmic.

    Args:
        lines: (name, class of its style, value after each call); what is not finite is left out.
        level: A horizontal line: its name and value.
        unit: Of the vertical axis.
    """
    if max((len(values) for _, _, values in lines), default=0) < 2:
        return ""
    return chart(steps_of(lines), [Level(level[0], "level", level[1])], Axis("oracle calls"), Axis(unit, log=True))
