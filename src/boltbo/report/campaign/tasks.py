"""Task by task: a table that can be sorted, and details of some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

from boltbo.problem import Observation
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered, TaskFound
from boltbo.report.campaign.pictures import task_curves
from boltbo.report.campaign.solutions import solutions_of, value_of
from boltbo.report.html import number, wide

ROWS, DETAILS, CONTEXT = 400, 60, 3000
"""Tasks in a table, tasks with details, letters of a context"""
WIDTH, HEIGHT, EDGE = 200, 18, 8
MARKS = {DEFAULT: "default", DESIGN: "design", STBO: "stbo"}
ORDER = "ordered by their best value over the default's"


def by_gain(tasks: Sequence[TaskFound]) -> list[TaskFound]:
    """The most improved first, those of which that cannot be said last."""
    return sorted(tasks, key=lambda t: (math.isnan(t.gain), t.gain))


def detailed(g: Gathered) -> list[TaskFound]:
    """The tasks with details: of validation, where there are any, else of training; where they are many, of all gains."""
    tasks = by_gain(g.validation or [t for own in g.training.values() for t in own])
    if len(tasks) <= DETAILS:
        return tasks
    return [tasks[round(i * (len(tasks) - 1) / (DETAILS - 1))] for i in range(DETAILS)]


def tasks_table(tasks: Sequence[TaskFound], methods: Sequence[str], anchors: Mapping[str, str], label: str) -> str:
    """One row a task: all methods on one scale, their values, and what was gained.

    Args:
        tasks: The tasks; the first `ROWS` by gain are shown.
        methods: Columns.
        anchors: Task id -> where its details are.
        label: Of the table.
    """
    shown = by_gain(tasks)[:ROWS]
    values = [v for t in shown for m in methods if math.isfinite(v := t.value(m))]
    if not values:
        return "<p>No task is finished yet.</p>"
    log = min(values) > 0
    low, high = min(values), max(values)

    def x(value: float) -> float:
        share = math.log(value / low) / (math.log(high / low) or 1) if log else (value - low) / ((high - low) or 1)
        return EDGE + (WIDTH - 2 * EDGE) * share

    scale = f"{number(low)} to {number(high)}{', log' if log else ''}"
    head = "".join(f"<th>{_button(m)}</th>" for m in methods)
    body = "".join(_row(t, methods, anchors, x) for t in shown)
    note = f"{len(shown)} of {len(tasks)} tasks, {ORDER}" if len(shown) < len(tasks) else f"{len(tasks)} tasks, {ORDER}"
    table = wide(
        label,
        f'<thead><tr><th class="row">{_button("task")}</th><th class="text">{scale}</th>{head}'
        f"<th>{_button('best / default')}</th></tr></thead><tbody>{body}</tbody>",
        "sort",
    )
    keys = "".join(f'<span><span class="mark {_mark(m, methods)}"></span>{escape(m)}</span>' for m in methods)
    return f'<p class="caption">{note}.</p><p class="legend">{keys}</p><div class="long">{table}</div>'


def _button(text: str) -> str:
    return f'<button type="button">{escape(text)}</button>'


def _mark(method: str, methods: Sequence[str]) -> str:
    return MARKS.get(method, "model" if method == methods[-1] else "earlier")


def _row(task: TaskFound, methods: Sequence[str], anchors: Mapping[str, str], x: Callable[[float], float]) -> str:
    name = escape(task.task.id[:60])
    link = f'<a href="#{anchors[task.task.id]}">{name}</a>' if task.task.id in anchors else name
    cells = "".join(_cell(task.best.get(m)) for m in methods)
    gain = "" if math.isnan(task.gain) else f"{task.gain:.6g}"
    return (
        f'<tr><th class="row" scope="row">{link}</th><td class="text">{_dots(task, methods, x)}</td>{cells}'
        f'<td data-v="{gain}">{number(task.gain)}</td></tr>'
    )


def _cell(o: Observation | None) -> str:
    return '<td data-v="">–</td>' if o is None else f'<td data-v="{o.value:.6g}">{value_of(o)}</td>'


def _dots(task: TaskFound, methods: Sequence[str], x: Callable[[float], float]) -> str:
    placed = [(m, x(v), v) for m in methods if math.isfinite(v := task.value(m))]
    if not placed:
        return ""
    ends = [at for _, at, _ in placed]
    middle = HEIGHT / 2
    line = f'<line x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="{middle}" y2="{middle}"/>'
    dots = "".join(
        f'<circle class="{_mark(m, methods)}" cx="{at:.1f}" cy="{middle}" r="4.5">'
        f"<title>{escape(m)}: {number(v)}</title></circle>"
        for m, at, v in placed
    )
    return f'<svg class="dots" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">{line}{dots}</svg>'


def details(g: Gathered, tasks: Sequence[TaskFound], anchors: Mapping[str, str]) -> str:
    """A fold for each task: its curves, its solutions beside each other, its context."""
    last = g.learnt[-1] if g.learnt else ""
    return "".join(_details(g, t, last, anchors[t.task.id]) for t in tasks)


def _details(g: Gathered, task: TaskFound, last: str, anchor: str) -> str:
    context = task.task.context[:CONTEXT] + "…" * (len(task.task.context) > CONTEXT)
    solutions = _solutions(task, last)
    values = [value_of(o) for _, o in solutions]
    told = " → ".join(dict.fromkeys(v for v in (values[:1] + values[-1:]))) if values else "no value"
    drawn = solutions_of(str(g.row["domain"]), task.task, solutions) if solutions else ""
    gain = "" if math.isnan(task.gain) else f", {number(task.gain)} of the default's"
    return (
        f'<details id="{anchor}"><summary><b>{escape(task.task.id[:120])}</b> <span class="soft">{told}{gain}</span></summary>'
        f"{task_curves(task, last)}{drawn}"
        f'<h4>Context</h4><p class="candidate">{escape(context)}</p></details>'
    )


def _solutions(task: TaskFound, last: str) -> list[tuple[str, Observation]]:
    """The default, the last model's best sample, and the best of all, if they are different candidates."""
    lowest = task.lowest
    winner = [(m, o) for m, o in task.best.items() if o is lowest][-1:]
    shown: dict[str, tuple[list[str], Observation]] = {}
    for method, o in [(DEFAULT, task.best.get(DEFAULT)), (last, task.best.get(last)), *winner]:
        if o is not None:
            methods, _ = shown.setdefault(o.candidate, ([], o))
            name = "search" if method == FOUND else method
            methods += [name] if name not in methods else []
    return [(f"{' and '.join(methods)}{', best' if o is lowest else ''}", o) for methods, o in shown.values()]
