"""The pictures of a campaign: learning curve, trajectories, where the seconds went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

import numpy as np

from boltbo.campaign.results import Row
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered, TaskFound
from boltbo.report.chart import Axis, Level, Line, chart, spread_out, staircase
from boltbo.report.html import legend, number, wide

SHADES = ("s1", "s2", "s3", "s4", "s5")
MOST_POINTS = 160
"""Of the edge of an area"""

KINDS = {
    "oracle": "oracle",
    "fit": "optimizer", "acquire": "optimizer", "decode": "optimizer", "initial design": "optimizer",
    "fine-tuning": "model", "sampling": "model", "pretraining": "model",
}  # fmt: skip


def learning_curve(g: Gathered) -> str:
    """Best@k of each model over the number of tasks that it has read, and what it must beat."""
    rows = {r.method: r for r in g.results.rows}
    learnt, calls = g.learnt, sorted({r.calls for r in g.results.rows if "@" in r.method})
    if not learnt or not calls:
        return "<p>No model has been validated yet.</p>"
    ratios = all(math.isfinite(r.ratio) for r in rows.values())
    lines = []
    for j, (k, style) in enumerate(zip(calls, shades(len(calls)), strict=True)):
        places = [(i, rows[name]) for i, t in enumerate(learnt) if (name := f"{t} Best@{k}") in rows]
        moved = [(i + 0.07 * (j - (len(calls) - 1) / 2), row) for i, row in places]
        points = [(x, _height(row, ratios)) for x, row in moved]
        intervals = [(x, r.low, r.high) for x, r in moved if math.isfinite(r.ratio) == ratios]
        lines.append(Line(f"Best@{k}", style, points, intervals, "bars"))
    reference = [(DEFAULT, "default"), (DESIGN, "design"), (STBO, "stbo")]
    levels = [
        Level(f"{m}, {rows[m].calls} call{'s' * (rows[m].calls != 1)}", s, _height(rows[m], ratios))
        for m, s in reference
        if m in rows
    ]
    shown = spread_out(learnt, 10)
    picture = chart(
        lines,
        levels,
        Axis("training tasks that the model has read (T)", ticks=[(i, learnt[i].removeprefix("BOLT-")) for i in shown]),
        Axis("sum over the default's" if ratios else "mean best value", log=ratios),
    )
    keys = [(line.style, line.name) for line in lines] + [(level.style, level.name) for level in levels]
    return legend(keys) + picture


def shades(n: int) -> list[str]:
    """The styles of up to `len(SHADES)` lines, light to dark; of one line a clear one."""
    return [SHADES[2]] if n == 1 else [SHADES[i] for i in spread_out([""] * len(SHADES), n)][:n]


def validation_trajectories(g: Gathered) -> str:
    """The median validation task: STBO beside samples of some of the models."""
    chosen = [g.learnt[i] for i in spread_out(g.learnt, 4)]
    named = [*zip(chosen, shades(len(chosen)), strict=True), (STBO, "stbo")]
    groups = [(f"{m}, samples" if m != STBO else m, style, m, g.validation) for m, style in named]
    return _trajectories(groups, {STBO, *chosen[-1:]}, log_calls=True)


def training_trajectories(g: Gathered) -> str:
    """The median training task of some of the rounds."""
    rounds = list(g.training)
    chosen = [rounds[i] for i in spread_out([str(t) for t in rounds], 4)]
    groups = [
        (f"round {t + 1} ({len(g.training[t])} tasks)", style, FOUND, g.training[t])
        for t, style in zip(chosen, shades(len(chosen)), strict=True)
    ]
    return _trajectories(groups, {FOUND} if len(groups) < 3 else set(), log_calls=False)


def task_curves(task: TaskFound, last: str) -> str:
    """One task: what each method had found after each oracle call."""
    named = [(STBO, "stbo"), (last, "s3"), (FOUND, "s3")]
    lines = [Line(m, style, staircase(task.curves[m])) for m, style in named if m in task.curves]
    values = [y for line in lines for _, y in line.points]
    default = task.value(DEFAULT)
    log = bool(values) and min(values) > 0 and not default <= 0
    levels = [Level("default", "default", default)]
    picture = chart(lines, levels, Axis("oracle calls", log=True), Axis("best value", log=log))
    keys = [(line.style, line.name) for line in lines] + [("default", "default")] * math.isfinite(default)
    return legend(keys) + picture if picture else ""


def _trajectories(
    groups: Sequence[tuple[str, str, str, Sequence[TaskFound]]], areas: set[str], *, log_calls: bool
) -> str:
    """Median and quartiles over tasks, of the value over the default's where every value allows it."""
    every = [t for *_, method, tasks in groups for t in tasks if method in t.curves]
    finite = [v for t in every for v in (t.value(DEFAULT), *t.curves.get(STBO, ()), *t.curves.get(FOUND, ()))]
    ratios = any(math.isfinite(t.value(DEFAULT)) for t in every) and all(v > 0 for v in finite if math.isfinite(v))
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
    picture = chart(lines, levels, Axis("oracle calls", log=log_calls), Axis(label, log=ratios))
    if not picture:
        return "<p>No run is finished yet.</p>"
    return legend([(line.style, line.name) for line in lines] + [("default", "default")] * ratios) + picture


def _quartiles(curves: Sequence[Sequence[float]]) -> Sequence[list[float]]:
    """Lower quartile, median, upper quartile after each call; a curve that ended early stays at its last value."""
    longest = max(map(len, curves))
    padded = np.array([np.pad(c, (0, longest - len(c)), mode="edge") for c in curves if len(c)])
    with np.errstate(invalid="ignore"):  # infinity less infinity, before anything is complete
        found: list[list[float]] = np.quantile(padded, [0.25, 0.5, 0.75], axis=0).tolist()
    return found


def _edges(low: Sequence[float], high: Sequence[float]) -> list[tuple[float, float, float]]:
    places = np.unique(np.geomspace(1, len(low), MOST_POINTS).round().astype(int))
    return [(int(i), low[i - 1], high[i - 1]) for i in places]


def time_split(g: Gathered) -> str:
    """A bar of where the seconds went, and the numbers."""
    spent = {k: v for k, v in g.seconds.items() if v > 0}
    total = sum(spent.values())
    if not total:
        return "<p>No run is finished yet.</p>"
    kinds: dict[str, float] = {}
    for activity, value in spent.items():
        kinds[_kind(activity)] = kinds.get(_kind(activity), 0.0) + value
    order = sorted(kinds, key=lambda k: -kinds[k])
    bar = "".join(_part(kind, kinds[kind] / total) for kind in order)
    told = ", ".join(f"{kind} {kinds[kind] / total:.0%}" for kind in order)
    rows = "".join(
        _time_row(kind, activity, spent[activity], total) for kind in order for activity in _within(spent, kind)
    )
    head = '<thead><tr><th class="row">activity</th><th class="text">of</th><th>seconds</th><th>share</th></tr></thead>'
    missing = [] if "sampling" in spent or not g.models else ["of sampling"]
    missing += [] if "pretraining" in spent or not g.models else ["of pretraining"]
    note = f'<p class="soft">The seconds {" and ".join(missing)} were not recorded.</p>' if missing else ""
    return (
        f'<div class="split" role="img" aria-label="{escape(told)}">{bar}</div>'
        f'<p class="legend">{"".join(_key(kind, kinds[kind] / total) for kind in order)}</p>'
        f"{wide('seconds', f'{head}<tbody>{rows}</tbody>')}{note}"
    )


def _kind(activity: str) -> str:
    return KINDS.get(activity, "other")


def _within(spent: Mapping[str, float], kind: str) -> Iterable[str]:
    return sorted((a for a in spent if _kind(a) == kind), key=lambda a: -spent[a])


def _part(kind: str, share: float) -> str:
    return f'<span class="{kind}" style="flex-grow:{share:.5f}" title="{kind}: {share:.1%}"></span>'


def _key(kind: str, share: float) -> str:
    return f'<span><span class="patch {kind}"></span>{kind} {share:.1%}</span>'


def _time_row(kind: str, activity: str, value: float, total: float) -> str:
    return (
        f'<tr><th class="row" scope="row">{escape(activity)}</th><td class="text">{kind}</td><td>{number(value)}</td>'
        f"<td>{value / total:.1%}</td></tr>"
    )


def _height(row: Row, ratios: bool) -> float:
    return row.ratio if ratios else row.total / max(1, len(row.values))
