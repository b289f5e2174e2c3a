"""The page of a campaign, section by section."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from boltbo.campaign.results import Row
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered
from boltbo.report.campaign.pictures import (
    learning_curve,
    time_split,
    training_trajectories,
    validation_trajectories,
)
from boltbo.report.campaign.tasks import detailed, details, tasks_table
from boltbo.report.chart import spread_out
from boltbo.report.html import document, number, numbers, wide
from boltbo.report.peptides.letters import sheet

TABLE = (
    "Sum: of the tasks' best values, lower is better. Ratio: the sum over the default's, with a 95% bootstrap interval over "
    "tasks; typical: geometric mean of the tasks' ratios; better: share of tasks below the default; *: of some task every "
    "call was stopped early, the true value is larger."
)
LEARNING = "Best@k: the best of the first k samples of a model for a task that it has not read, without any search."
TRAJECTORIES = "The median task, in its shade the quartiles: the best complete value after each oracle call."


def campaign_page(g: Gathered) -> str:
    """The whole page as text."""
    chosen = detailed(g)
    anchors = {t.task.id: f"task-{i}" for i, t in enumerate(chosen)}
    sections: list[tuple[str, str, str]] = [
        ("results", "Results", _results(g)),
        ("learning", "Learning curve", f'<p class="caption">{LEARNING}</p>{learning_curve(g)}'),
        ("before-after", "Tasks before and after", _before_after(g, anchors)),
        ("trajectories", "Trajectories", _trajectories(g)),
        ("time", "Time", f'<p class="caption">Seconds of all workers together.</p>{time_split(g)}'),
        ("models", "Model versions", _models(g)),
        ("calls", "Oracle calls", _calls(g)),
        ("details", "Task by task", _details(g, chosen, anchors)),
        ("settings", "Settings", _settings(g.row["config"])),
    ]
    folder = files(__package__)
    links = "".join(f'<li><a href="#{at}">{title}</a></li>' for at, title, _ in sections)
    body = "".join(f'<section id="{at}"><h2>{title}</h2>{text}</section>\n' for at, title, text in sections)
    name = str(g.row["name"])
    return document(
        f"{name}, a boltbo campaign",
        f'<h1>{escape(name)}</h1>\n{numbers(_facts(g))}\n<nav aria-label="Sections"><ul>{links}</ul></nav>\n{body}',
        styles=[sheet(), folder.joinpath("style.css").read_text()],
        script=folder.joinpath("sort.js").read_text(),
    )


def _facts(g: Gathered) -> list[tuple[str, str]]:
    config = g.row["config"]
    return [
        ("domain", str(g.row["domain"])),
        ("begun", str(g.row["created"])[:16].replace("T", " ")),
        ("seed", str(config.get("seed", "–"))),
        ("tasks solved", str(g.results.tasks_done)),
        ("validation tasks", str(len(g.validation))),
        ("oracle calls", f"{g.results.oracle_calls:,}"),
        ("model versions", str(len(g.models))),
        ("boltbo", str(g.row["version"])),
    ]


def _results(g: Gathered) -> str:
    if not g.results.rows:
        return f"<p>{g.results.tasks_done} tasks solved; no validation task is finished yet.</p>"
    head = ["calls", "sum", "ratio", "95% interval", "typical", "better"]
    body = "".join(_result(row, i) for i, row in enumerate(g.results.rows))
    titles = "".join(f"<th>{h}</th>" for h in head)
    table = f'<thead><tr><th class="row">method</th>{titles}</tr></thead><tbody>{body}</tbody>'
    return f'<p class="caption">{TABLE}</p>{wide("results", table)}'


def _result(row: Row, place: int) -> str:
    style = "head" if place and row.method.endswith("@1") else ""
    cells = [
        str(row.calls), number(row.total) + "*" * bool(row.bounded), _two(row.ratio),
        f"{_two(row.low)} to {_two(row.high)}", _two(row.typical), "–" if math.isnan(row.wins) else f"{row.wins:.0%}",
    ]  # fmt: skip
    return _line(row.method, cells, style)


def _before_after(g: Gathered, anchors: Mapping[str, str]) -> str:
    parts = []
    if g.validation:
        methods = [DEFAULT, DESIGN, STBO, *(g.learnt[i] for i in spread_out(g.learnt, 3))]
        known = [m for m in methods if any(m in t.best for t in g.validation)]
        parts.append(f"<h3>Validation</h3>{tasks_table(g.validation, known, anchors, 'validation tasks')}")
    training = [t for own in g.training.values() for t in own]
    if training:
        parts.append(f"<h3>Training</h3>{tasks_table(training, [DEFAULT, FOUND], anchors, 'training tasks')}")
    return "".join(parts) or "<p>No task is finished yet.</p>"


def _trajectories(g: Gathered) -> str:
    parts = []
    if g.validation:
        parts.append(f"<div><h3>Validation</h3>{validation_trajectories(g)}</div>")
    if g.training:
        parts.append(f"<div><h3>Training, by round</h3>{training_trajectories(g)}</div>")
    told = "".join(parts) or "<p>No run is finished yet.</p>"
    return f'<p class="caption">{TRAJECTORIES}</p><div class="pair">{told}</div>'


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


def _models(g: Gathered) -> str:
    if not g.models:
        return "<p>There is no model yet.</p>"
    epochs = g.row["config"].get("model", {}).get("epochs")
    found = [{**({} if epochs is None else {"epochs": epochs}), **v.metrics} for _, v in g.models]
    shown = [m for m in METRICS if any(f.get(m) is not None for f in found)]
    body = "".join(
        _line(name, [str(v.round + 1), str(len(v.tasks)), *(_metric(m, f.get(m)) for m in shown)])
        for (name, v), f in zip(g.models, found, strict=True)
    )
    titles = "".join(f"<th>{h}</th>" for h in ["round", "T", *(METRICS[m][0] for m in shown)])
    return wide("model versions", f'<thead><tr><th class="row">model</th>{titles}</tr></thead><tbody>{body}</tbody>')


def _metric(name: str, value: Any) -> str:
    return "–" if value is None else METRICS[name][1](value)


def _calls(g: Gathered) -> str:
    if not g.progress:
        return "<p>Nothing has run yet.</p>"
    sources = list(dict.fromkeys(source for source, _ in g.statuses))
    statuses = [s for s in ("complete", "censored", "infeasible", "failed") if any(s == t for _, t in g.statuses)]
    rows = [
        _line(source, [*(f"{g.statuses.get((source, s), 0):,}" for s in statuses), f"{_sum(g, source):,}"])
        for source in sources
    ]
    total = [f"{sum(n for (_, t), n in g.statuses.items() if t == s):,}" for s in statuses]
    rows.append(_line("all", [*total, f"{sum(g.statuses.values()):,}"], "head"))
    titles = "".join(f"<th>{s}</th>" for s in [*statuses, "all"])
    by_source = wide(
        "statuses", f'<thead><tr><th class="row">proposed by</th>{titles}</tr></thead><tbody>{"".join(rows)}</tbody>'
    )
    stages = "".join(
        _line(f"round {p.round + 1}, {p.stage.value}", [f"{p.done} of {p.runs}", f"{p.calls:,}"]) for p in g.progress
    )
    head = '<thead><tr><th class="row">stage</th><th>runs done</th><th>oracle calls</th></tr></thead>'
    return f"{by_source}<h3>Stage by stage</h3>{wide('stages', f'{head}<tbody>{stages}</tbody>')}"


def _sum(g: Gathered, source: str) -> int:
    return sum(n for (own, _), n in g.statuses.items() if own == source)


def _details(g: Gathered, chosen: Sequence[Any], anchors: Mapping[str, str]) -> str:
    if not chosen:
        return "<p>No task is finished yet.</p>"
    every = len(g.validation) or sum(map(len, g.training.values()))
    which = "validation" if g.validation else "training"
    few = f" {len(chosen)} of {every}, spread over all gains." if len(chosen) < every else ""
    note = f"The {which} tasks, the most improved first.{few}"
    return f'<p class="caption">{note}</p>{details(g, chosen, anchors)}'


def _settings(config: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th class="row" scope="row">{escape(key)}</th><td class="text">{escape(value)}</td></tr>'
        for key, value in flat(config)
    )
    return f"<details><summary>All that was set</summary>{wide('settings', f'<tbody>{rows}</tbody>')}</details>"


def flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(dotted name, value) of every setting; an address is only told to be one, it may hold a password."""
    found: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            found += flat(value, f"{prefix}{key}.")
        else:
            text = json.dumps(value, ensure_ascii=False)
            found.append((prefix + str(key), "an address, not shown" if "://" in text or "password" in text else text))
    return found


def _line(name: str, cells: Sequence[str], style: str = "") -> str:
    told = "".join(f"<td>{escape(c)}</td>" for c in cells)
    return f'<tr class="{style}"><th class="row" scope="row">{escape(name)}</th>{told}</tr>'


def _two(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
