"""Task by task: a table that can be sorted, and details of some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from boltbo.drawing import Drawing
from boltbo.drawing.chart import Figure
from boltbo.drawing.numbers import number
from boltbo.problem import Observation
from boltbo.report.campaign.figures import task_curves
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered, TaskSummary
from boltbo.report.campaign.solutions import solutions_of, value_of

ROWS, DETAILS, CONTEXT = 400, 60, 3000
"""Greatest numbers of tasks in a table, of tasks with details, of letters of a context."""
WIDTH, HEIGHT, EDGE = 200, 18, 8
"""The picture of one row of a table, and the space at its ends"""
MARKS = {DEFAULT: "default", DESIGN: "design", STBO: "stbo"}
ORDER = "ordered by their best value over the default's"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task of a table.

    Attributes:
        name: The task's id, cut short.
        anchor: Where its details are; empty: it has none.
        dots: (class, x, what it says) of each method with a value.
        cells: (number to sort by, as it is written) of each method.
        gain: (number to sort by, as it is written) of the best value over the default's.
    """

    name: str
    anchor: str
    dots: Sequence[tuple[str, str, str]]
    cells: Sequence[tuple[str, str]]
    gain: tuple[str, str]

    @property
    def ends(self) -> tuple[str, str]:
        """The leftmost and the rightmost place of a dot."""
        places = sorted((x for _, x, _ in self.dots), key=float)
        return places[0], places[-1]


@dataclass(frozen=True, slots=True)
class TaskTable:
    """All methods of some tasks on one scale.

    Attributes:
        label: The table's name for those who do not see it.
        note: How many tasks there are, in which order, and whether all are shown.
        scale: The ends of the scale.
        methods: (method, class of its mark), column by column.
        rows: The tasks.
    """

    label: str
    note: str
    scale: str
    methods: Sequence[tuple[str, str]]
    rows: Sequence[TaskRow]
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """What folds out for one task: its curves, its solutions beside each other, its context."""

    anchor: str
    name: str
    summary: str
    figure: Figure | None
    solutions: Markup | str
    context: str


def by_gain(tasks: Sequence[TaskSummary]) -> list[TaskSummary]:
    """Order the tasks by gain, the most improved first; tasks without a gain come last."""
    return sorted(tasks, key=lambda t: (math.isnan(t.gain), t.gain))


def detailed(g: Gathered) -> list[TaskSummary]:
    """Choose the tasks with details: validation tasks if there are any, else training tasks, spread over all gains."""
    tasks = by_gain(g.validation or [t for tasks_of_round in g.training.values() for t in tasks_of_round])
    if len(tasks) <= DETAILS:
        return tasks
    return [tasks[round(i * (len(tasks) - 1) / (DETAILS - 1))] for i in range(DETAILS)]


def task_table(
    tasks: Sequence[TaskSummary], methods: Sequence[str], anchors: Mapping[str, str], label: str
) -> TaskTable | None:
    """One row a task: all methods on one scale, their values, and what was gained; None where no task has a value.

    Args:
        tasks: The tasks; the first `ROWS` by gain are shown.
        methods: The methods, a column each.
        anchors: Task id -> where its details are.
        label: The table's name.
    """
    shown = by_gain(tasks)[:ROWS]
    values = [v for t in shown for m in methods if math.isfinite(v := t.value(m))]
    if not values:
        return None
    log = min(values) > 0
    low, high = min(values), max(values)

    def x(value: float) -> float:
        share = math.log(value / low) / (math.log(high / low) or 1) if log else (value - low) / ((high - low) or 1)
        return EDGE + (WIDTH - 2 * EDGE) * share

    count = f"{len(shown)} of {len(tasks)} tasks" if len(shown) < len(tasks) else f"{len(tasks)} tasks"
    return TaskTable(
        label,
        f"{count}, {ORDER}.",
        f"{number(low)} to {number(high)}{', log' if log else ''}",
        [(m, _mark(m, methods)) for m in methods],
        [_row(t, methods, anchors, x) for t in shown],
    )


def _mark(method: str, methods: Sequence[str]) -> str:
    return MARKS.get(method, "model" if method == methods[-1] else "earlier")


def _row(task: TaskSummary, methods: Sequence[str], anchors: Mapping[str, str], x: Callable[[float], float]) -> TaskRow:
    return TaskRow(
        task.task.id[:60],
        anchors.get(task.task.id, ""),
        [(_mark(m, methods), f"{x(v):.1f}", f"{m}: {number(v)}") for m in methods if math.isfinite(v := task.value(m))],
        [_cell(task.best.get(m)) for m in methods],
        ("" if math.isnan(task.gain) else f"{task.gain:.6g}", number(task.gain)),
    )


def _cell(o: Observation | None) -> tuple[str, str]:
    return ("", "–") if o is None else (f"{o.value:.6g}", value_of(o))


def details_of(g: Gathered, task: TaskSummary, anchor: str, drawing: Drawing) -> TaskDetails:
    """What folds out for one task."""
    last_model = g.learnt[-1] if g.learnt else ""
    context = task.task.context
    solutions = _solutions(task, last_model)
    values = [value_of(o) for _, o in solutions]
    change = " → ".join(dict.fromkeys(values[:1] + values[-1:])) if values else "no value"
    gain = "" if math.isnan(task.gain) else f", {number(task.gain)} of the default's"
    return TaskDetails(
        anchor,
        task.task.id[:120],
        change + gain,
        task_curves(task, last_model, drawing.unit(task.task)),
        solutions_of(drawing, task.task, solutions) if solutions else "",
        context[:CONTEXT] + "…" * (len(context) > CONTEXT),
    )


def _solutions(task: TaskSummary, last_model: str) -> list[tuple[str, Observation]]:
    """The default, the last model's best sample, and the best of all, if they are different candidates."""
    lowest = task.lowest
    winner = [(m, o) for m, o in task.best.items() if o is lowest][-1:]
    shown: dict[str, tuple[list[str], Observation]] = {}
    for method, o in [(DEFAULT, task.best.get(DEFAULT)), (last_model, task.best.get(last_model)), *winner]:
        if o is not None:
            methods, _ = shown.setdefault(o.candidate, ([], o))
            name = "search" if method == FOUND else method
            methods += [name] if name not in methods else []
    return [(f"{' and '.join(methods)}{', best' if o is lowest else ''}", o) for methods, o in shown.values()]
