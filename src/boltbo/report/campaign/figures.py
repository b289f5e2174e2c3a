"""The figures of a campaign: learning curve and trajectories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from boltbo.campaign.results import Row
from boltbo.drawing.chart import Figure, figure
from boltbo.drawing.lines import Axis, Level, Line, spread_out, staircase
from boltbo.drawing.numbers import with_unit
from boltbo.drawing.palette import SHADES
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered, TaskSummary

MOST_POINTS = 160
"""Greatest number of points along the edge of an area."""


def learning_curve(g: Gathered) -> Figure | None:
    """Best@k of each model over the number of tasks that it has read, and what it must beat."""
    rows = {r.method: r for r in g.results.rows}
    learnt, calls = g.learnt, sorted({r.calls for r in g.results.rows if "@" in r.method})
    if not learnt or not calls:
        return None
    ratios = all(math.isfinite(r.ratio) for r in rows.values())
    lines = []
    for j, (k, style) in enumerate(zip(calls, shades(len(calls)), strict=True)):
        aside = 0.07 * (j - (len(calls) - 1) / 2)  # intervals of several k would hide each other
        placed = [(i + aside, rows[name]) for i, t in enumerate(learnt) if (name := f"{t} Best@{k}") in rows]
        points = [(x, _height(row, ratios)) for x, row in placed]
        intervals = [(x, r.low, r.high) for x, r in placed if math.isfinite(r.ratio) == ratios]
        lines.append(Line(f"Best@{k}", style, points, intervals, "bars"))
    levels = [
        Level(f"{m}, {rows[m].calls} call{'s' * (rows[m].calls != 1)}", style, _height(rows[m], ratios))
        for m, style in ((DEFAULT, "default"), (DESIGN, "design"), (STBO, "stbo"))
        if m in rows
    ]
    ticks = [(i, learnt[i].removeprefix("BOLT-")) for i in spread_out(len(learnt), 10)]
    return figure(
        lines,
        levels,
        Axis("training tasks that the model has read (T)", ticks=ticks),
        Axis("sum over the default's" if ratios else "mean best value", log=ratios),
    )


def shades(n: int) -> list[str]:
    """The styles of up to `len(SHADES)` lines, light to dark; of one line a clear one."""
    return [SHADES[2]] if n == 1 else [SHADES[i] for i in spread_out(len(SHADES), n)][:n]


def validation_trajectories(g: Gathered) -> Figure | None:
    """The median validation task: STBO beside samples of some of the models."""
    chosen = [g.learnt[i] for i in spread_out(len(g.learnt), 4)]
    named = [*zip(chosen, shades(len(chosen)), strict=True), (STBO, "stbo")]
    groups = [(f"{m}, samples" if m != STBO else m, style, m, g.validation) for m, style in named]
    return _trajectories(groups, {STBO, *chosen[-1:]}, log_calls=True)


def training_trajectories(g: Gathered) -> Figure | None:
    """The median training task of some of the rounds."""
    rounds = list(g.training)
    chosen = [rounds[i] for i in spread_out(len(rounds), 4)]
    groups = [
        (f"round {t + 1} ({len(g.training[t])} tasks)", style, FOUND, g.training[t])
        for t, style in zip(chosen, shades(len(chosen)), strict=True)
    ]
    return _trajectories(groups, {FOUND} if len(groups) < 3 else set(), log_calls=False)


def task_curves(task: TaskSummary, last_model: str, unit: str = "") -> Figure | None:
    """One task: the best value of each method after each oracle call."""
    named = [(STBO, "stbo"), (last_model, "s3"), (FOUND, "s3")]
    lines = [Line(m, style, staircase(task.curves[m])) for m, style in named if m in task.curves]
    values = [y for line in lines for _, y in line.points]
    default = task.value(DEFAULT)
    log = bool(values) and min(values) > 0 and not default <= 0
    levels = [Level("default", "default", default)] if math.isfinite(default) else []
    label = with_unit("best value", f"in {unit}" if unit else "")
    return figure(lines, levels, Axis("oracle calls", log=True), Axis(label, log=log))


def _trajectories(
    groups: Sequence[tuple[str, str, str, Sequence[TaskSummary]]], areas: set[str], *, log_calls: bool
) -> Figure | None:
    """Median and quartiles over tasks, of the value over the default's where every value allows it.

    Args:
        groups: (name, style, method, tasks) of each line.
        areas: The methods whose quartiles are drawn.
        log_calls: Whether the axis of oracle calls is logarithmic.
    """
    every = [t for *_, method, tasks in groups for t in tasks if method in t.curves]
    values = [v for t in every for v in (t.value(DEFAULT), *t.curves.get(STBO, ()), *t.curves.get(FOUND, ()))]
    ratios = any(math.isfinite(t.value(DEFAULT)) for t in every) and all(v > 0 for v in values if math.isfinite(v))
    lines = []
    for name, style, method, tasks in groups:
        curves = [
            [v / t.value(DEFAULT) for v in t.curves[method]] if ratios else list(t.curves[method])
            for t in tasks
            if method in t.curves and not (ratios and math.isnan(t.value(DEFAULT)))
        ]
        if curves:
            low, middle, high = _quartiles(curves)
            spread = _edges(low, high) if method in areas else []
            lines.append(Line(name, style, staircase(middle), spread))
    label = "best value over the default's" if ratios else "best value"
    levels = [Level("default", "default", 1.0)] if ratios else []
    return figure(lines, levels, Axis("oracle calls", log=log_calls), Axis(label, log=ratios))


def _quartiles(curves: Sequence[Sequence[float]]) -> Sequence[list[float]]:
    """Lower quartile, median, upper quartile after each call; a curve that ended early stays at its last value."""
    longest = max(map(len, curves))
    padded = np.array([np.pad(c, (0, longest - len(c)), mode="edge") for c in curves if len(c)])
    with np.errstate(invalid="ignore"):  # infinity less infinity, before anything is complete
        quartiles: list[list[float]] = np.quantile(padded, [0.25, 0.5, 0.75], axis=0).tolist()
    return quartiles


def _edges(low: Sequence[float], high: Sequence[float]) -> list[tuple[float, float, float]]:
    places = np.unique(np.geomspace(1, len(low), MOST_POINTS).round().astype(int))
    return [(int(i), low[i - 1], high[i - 1]) for i in places]


def _height(row: Row, ratios: bool) -> float:
    return row.ratio if ratios else row.total / max(1, len(row.values))
