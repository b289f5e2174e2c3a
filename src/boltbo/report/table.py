"""The results and the times of steps as tables on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping

from rich import box
from rich.table import Table

from boltbo.campaign.results import Results


def results_table(results: Results) -> Table:
    """One row a method: the sum over validation tasks, its ratio to the default with a 95% interval, and wins."""
    n = len(results.rows[0].values) if results.rows else 0
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=f"{results.name}: best value on {n} validation tasks (lower is better)",
        caption="ratio: sum over the default's, 95% bootstrap interval over tasks; typical: geometric mean of the "
        "tasks' ratios; better: share of tasks below the default; *: of some task every call was stopped early, "
        "the true value is larger",
        caption_justify="left",
    )
    for column in ("method", "calls", "sum", "ratio", "95% interval", "typical", "better"):
        table.add_column(column, justify="left" if column == "method" else "right", no_wrap=True)
    for i, row in enumerate(results.rows):
        if row.method.endswith("@1") and i:
            table.add_section()
        table.add_row(
            row.method, str(row.calls), f"{row.total:.3g}" + "*" * bool(row.bounded), _number(row.ratio),
            f"{_number(row.low)} to {_number(row.high)}", _number(row.typical), f"{row.wins:.0%}",
        )  # fmt: skip
    return table


def steps_table(steps: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table:
    """One row for each stage and activity of `progress_of(store)["steps"]`."""
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title="an optimizer's step, without initial candidates",
        title_justify="left",
    )
    for column in ("stage", "activity", "steps", "median ms", "90% below ms", "total s"):
        table.add_column(column, justify="left" if column in ("stage", "activity") else "right", no_wrap=True)
    for stage, activities in steps.items():
        for i, (activity, t) in enumerate(activities.items()):
            table.add_row(
                stage * (i == 0), activity, str(t["steps"]), f"{t['median_ms']:.3g}", f"{t['p90_ms']:.3g}",
                f"{t['total_seconds']:.3g}",
            )  # fmt: skip
        table.add_section()
    return table


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
