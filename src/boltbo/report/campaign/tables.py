"""The plain tables of the page: results, model versions, oracle calls. Each row is a (name, cells, style)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from boltbo.campaign.results import Row
from boltbo.drawing.numbers import number
from boltbo.report.campaign.gather import Gathered

METRICS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "pairs": ("pairs", str),
    "epochs": ("epochs", lambda v: f"{v:g}"),
    "fit_tokens": ("tokens", lambda v: f"{v:,}"),
    "loss": ("loss", lambda v: f"{v:.3f}"),
    "invalid_raw": ("invalid without grammar", lambda v: f"{v:.1%}"),
    "fit_seconds": ("seconds", lambda v: number(v)),
    "peak_mib": ("peak MiB", lambda v: f"{v:,}"),
    "pretraining_seconds": ("pretraining seconds", lambda v: number(v)),
}
"""Metric of a model version -> (title, how it is written)"""

STATUSES = ("complete", "censored", "infeasible", "failed")


@dataclass(frozen=True, slots=True)
class PlainTable:
    """A table of a name and cells in each row.

    Attributes:
        label: The table's name for those who do not see it.
        first: The title of the column of names.
        titles: The titles of the other columns.
        rows: (name, cells, style) of each row.
    """

    label: str
    first: str
    titles: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str], str]]


def results_table(g: Gathered) -> PlainTable | None:
    """One row a method; None while no validation task is finished."""
    if not g.results.rows:
        return None
    titles = ["calls", "sum", "ratio", "95% interval", "typical", "better"]
    return PlainTable("results", "method", titles, [_result(row, i) for i, row in enumerate(g.results.rows)])


def _result(row: Row, place: int) -> tuple[str, Sequence[str], str]:
    cells = [
        str(row.calls), number(row.total) + "*" * bool(row.bounded), _two(row.ratio),
        f"{_two(row.low)} to {_two(row.high)}", _two(row.typical), "–" if math.isnan(row.wins) else f"{row.wins:.0%}",
    ]  # fmt: skip
    return row.method, cells, "head" if place and row.method.endswith("@1") else ""


def models_table(g: Gathered) -> PlainTable | None:
    """One row a model version; None while there is none."""
    if not g.models:
        return None
    epochs = g.row["config"].get("model", {}).get("epochs")
    metrics = [{**({} if epochs is None else {"epochs": epochs}), **version.metrics} for _, version in g.models]
    shown = [m for m in METRICS if any(of_model.get(m) is not None for of_model in metrics)]
    return PlainTable(
        "model versions",
        "model",
        ["round", "T", *(METRICS[m][0] for m in shown)],
        [
            (name, [str(v.round + 1), str(len(v.tasks)), *(_metric(m, of_model.get(m)) for m in shown)], "")
            for (name, v), of_model in zip(g.models, metrics, strict=True)
        ],
    )


def _metric(name: str, value: Any) -> str:
    return "–" if value is None else METRICS[name][1](value)


def calls_table(g: Gathered) -> PlainTable | None:
    """Oracle calls by who proposed the candidate and what came of it; None while nothing has run."""
    if not g.progress:
        return None
    sources = list(dict.fromkeys(source for source, _ in g.statuses))
    statuses = [s for s in STATUSES if any(s == status for _, status in g.statuses)]
    rows: list[tuple[str, Sequence[str], str]] = []
    for source in sources:
        counts = [g.statuses.get((source, s), 0) for s in statuses]
        every = sum(n for (proposed_by, _), n in g.statuses.items() if proposed_by == source)
        rows.append((source, [f"{n:,}" for n in (*counts, every)], ""))
    totals = [sum(n for (_, status), n in g.statuses.items() if status == s) for s in statuses]
    rows.append(("all", [f"{n:,}" for n in (*totals, sum(g.statuses.values()))], "head"))
    return PlainTable("statuses", "proposed by", [*statuses, "all"], rows)


def stages_table(g: Gathered) -> PlainTable:
    """Runs and oracle calls, stage by stage."""
    rows = [
        (f"round {p.round + 1}, {p.stage.value}", [f"{p.done} of {p.runs}", f"{p.calls:,}"], "") for p in g.progress
    ]
    return PlainTable("stages", "stage", ["runs done", "oracle calls"], rows)


def _two(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
