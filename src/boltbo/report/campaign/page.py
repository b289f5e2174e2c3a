"""The page of a campaign, section by section; `html/campaign.html.j2` says how each looks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from boltbo.drawing import Drawing
from boltbo.drawing.lines import spread_out
from boltbo.drawing.pages import page, text_of
from boltbo.report.campaign.figures import learning_curve, training_trajectories, validation_trajectories
from boltbo.report.campaign.gather import DEFAULT, DESIGN, FOUND, STBO, Gathered, TaskSummary
from boltbo.report.campaign.solutions import TextOnly
from boltbo.report.campaign.tables import calls_table, models_table, results_table, stages_table
from boltbo.report.campaign.tasks import TaskTable, detailed, details_of, task_table
from boltbo.report.campaign.time_split import time_split

HERE = "boltbo.report.campaign"


def campaign_page(g: Gathered, drawing: Drawing | None = None) -> str:
    """The whole page as text.

    Args:
        g: The campaign.
        drawing: How its domain shows solutions; None: as text.
    """
    drawing = drawing or TextOnly()
    chosen = detailed(g)
    anchors = {t.task.id: f"task-{i}" for i, t in enumerate(chosen)}
    return page(
        HERE,
        "campaign.html.j2",
        styles=[drawing.styles, text_of(HERE, "style.css")],
        script=text_of(HERE, "sort.js"),
        name=str(g.row["name"]),
        facts=_facts(g),
        tasks_done=g.results.tasks_done,
        results=results_table(g),
        learning=learning_curve(g),
        before_after=_before_after(g, anchors),
        trajectories=[
            (heading, figure)
            for heading, having, figure in (
                ("Validation", g.validation, validation_trajectories(g)),
                ("Training, by round", g.training, training_trajectories(g)),
            )
            if having
        ],
        time=time_split(g),
        models=models_table(g),
        calls=calls_table(g),
        stages=stages_table(g),
        details_note=_details_note(g, chosen),
        details=[details_of(g, t, anchors[t.task.id], drawing) for t in chosen],
        settings=flat(g.row["config"]),
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


def _before_after(g: Gathered, anchors: Mapping[str, str]) -> list[tuple[str, TaskTable | None]]:
    """(heading, table) of the validation tasks and of the training tasks, as far as there are any."""
    tables: list[tuple[str, TaskTable | None]] = []
    if g.validation:
        methods = [DEFAULT, DESIGN, STBO, *(g.learnt[i] for i in spread_out(len(g.learnt), 3))]
        with_values = [m for m in methods if any(m in t.best for t in g.validation)]
        tables.append(("Validation", task_table(g.validation, with_values, anchors, "validation tasks")))
    training = [t for tasks_of_round in g.training.values() for t in tasks_of_round]
    if training:
        tables.append(("Training", task_table(training, [DEFAULT, FOUND], anchors, "training tasks")))
    return tables


def _details_note(g: Gathered, chosen: Sequence[TaskSummary]) -> str:
    every = len(g.validation) or sum(map(len, g.training.values()))
    which = "validation" if g.validation else "training"
    few = f" {len(chosen)} of {every}, spread over all gains." if len(chosen) < every else ""
    return f"The {which} tasks, the most improved first.{few}"


def flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(dotted name, value) of every setting; an address is not shown, because it may hold a password."""
    settings: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            settings += flat(value, f"{prefix}{key}.")
        else:
            text = json.dumps(value, ensure_ascii=False)
            hidden = "://" in text or "password" in text
            settings.append((prefix + str(key), "an address, not shown" if hidden else text))
    return settings
