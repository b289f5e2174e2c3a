"""`boltbo propose`, `optimize` and `import`: one task, and runs that were measured elsewhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from boltbo.cli.common import (
    Configuration,
    Format,
    FormatOption,
    SetOption,
    StorageOption,
    console,
    opened,
    plain,
    print_json,
)
from boltbo.domains.build import Built
from boltbo.errors import ConfigError
from boltbo.problem import Task


class Start(StrEnum):
    MODEL = "model"
    DESIGN = "design"


class How(StrEnum):
    ADD = "add"
    REPLACE = "replace"


TaskOption = Annotated[str | None, typer.Option("--task", help="The id of one of the configuration's tasks.")]


NewOption = Annotated[
    Path | None, typer.Option("--new", metavar="FILE", help="A file that describes a new task, such as an SQL query.")
]


def propose(
    config: Configuration,
    task: TaskOption = None,
    new: NewOption = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many candidates.")] = 10,
    storage: StorageOption = None,
    format: FormatOption = Format.TABLE,
    changes: SetOption = None,
) -> None:
    """Sample the current model for one task: no oracle call, all candidates valid and distinct.

    boltbo propose examples/plans.toml --new query.sql -n 5

    boltbo propose examples/plans.toml --task w03-0017 --format json
    """
    with opened(config, storage, changes=changes) as (campaign, problem):
        chosen = _task(problem, task, new)
        candidates = campaign.propose(chosen, n)
    if format is Format.JSON:
        print_json({"task": chosen.id, "candidates": candidates})
        return
    for candidate in candidates:
        typer.echo(candidate)


def optimize(
    config: Configuration,
    task: TaskOption = None,
    new: NewOption = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Oracle calls; default: the configuration's.")] = None,
    start: Annotated[
        Start, typer.Option(help="model: start from the model's candidates; design: from the initial design.")
    ] = Start.MODEL,
    storage: StorageOption = None,
    format: FormatOption = Format.TABLE,
    changes: SetOption = None,
) -> None:
    """Solve one task: the model's candidates (the initial design while there is no model), then the optimizer.

    boltbo optimize examples/plans.toml --new query.sql --budget 60
    """
    with opened(config, storage, changes=changes) as (campaign, problem):
        chosen = _task(problem, task, new)
        trajectory = campaign.optimize(chosen, budget, from_design=start is Start.DESIGN)
    best = trajectory.best
    first = next((o for o in trajectory.observations if o.source == "default"), None)
    summary: dict[str, Any] = {
        "task": chosen.id,
        "calls": sum(o.source != "import" for o in trajectory.observations),
        "scored as asked": f"{trajectory.as_asked:.1%}",
        "default": first.value if first and first.complete else None,
        "best": best.value if best else None,
        "source": best.source if best else None,
        "candidate": best.candidate if best else None,
    }
    if format is Format.JSON:
        print_json(summary)
        return
    table = Table(show_header=False)
    for key, value in summary.items():
        table.add_row(key, plain(value))
    console.print(table)


def import_(
    config: Configuration,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Old runs: .csv or .jsonl.")] = None,
    how: Annotated[
        How,
        typer.Option(help="add: a task's run starts from these and its initial candidates; replace: from these alone."),
    ] = How.ADD,
    optuna: Annotated[str | None, typer.Option(metavar="URL", help="An Optuna storage instead of FILE.")] = None,
    study: Annotated[str | None, typer.Option(help="With --optuna: the name of the study.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="With --optuna: the task that the study was about.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="With --optuna: the name of each slot's parameter; default: x0,x1,…"),
    ] = None,
    skip_invalid: Annotated[bool, typer.Option("--skip-invalid", help="Leave wrong rows out and report them.")] = False,
    storage: StorageOption = None,
    format: FormatOption = Format.TABLE,
    changes: SetOption = None,
) -> None:
    """Take in old runs: models learn from them, and tasks not begun yet start from them.

    Columns: task, candidate, value (lower is better); optional: status (complete, censored, infeasible, failed), seconds;
    for a task that the configuration does not have: context, and data (JSON).

      boltbo import examples/plans.toml old.csv --how replace

      boltbo import mine.toml --optuna sqlite:///study.db --study lr --task t3 --parameters rate,depth
    """
    with opened(config, storage, changes=changes) as (campaign, problem):
        left_out: dict[str, int] = {}
        if optuna is None:
            if file is None or study or task or parameters:
                raise ConfigError("say what to import: FILE, or --optuna URL --study NAME --task ID")
            report = campaign.import_runs(file, how.value, skip_invalid=skip_invalid)
        else:
            if file is not None or study is None:
                raise ConfigError("--optuna URL needs --study NAME and --task ID, and no FILE")
            from boltbo.cli.import_study import import_stored_study

            report, left_out = import_stored_study(
                campaign, _task(problem, task, None), optuna, study, parameters, how.value, skip_invalid
            )
    summary: dict[str, Any] = {
        "observations": report.observations,
        "tasks": report.tasks,
        "imported before": report.repeated,
        "left out": {**left_out, "rows": len(report.skipped)},
        "reasons": list(report.skipped),
        "learnt from only, their runs have begun": list(report.begun),
    }
    if format is Format.JSON:
        print_json(summary)
        return
    summary["reasons"] = "\n".join(report.skipped[:10]) or None
    summary["learnt from only, their runs have begun"] = ", ".join(report.begun[:10]) or None
    table = Table(show_header=False)
    for key, value in summary.items():
        table.add_row(key, escape(plain(value)))
    console.print(table)


def _task(problem: Built, task_id: str | None, new: Path | None) -> Task:
    if (task_id is None) == (new is None):
        raise ConfigError("say which task: --task ID of the configuration, or --new FILE")
    if new is not None:
        if problem.task_from is None:
            raise ConfigError("this domain cannot make a task of a file: use --task")
        return problem.task_from(new)
    tasks = {t.id: t for t in [*problem.tasks, *problem.validation]}
    if task_id not in tasks:
        raise ConfigError(f"no task {task_id!r}; there are {len(tasks)}, such as {', '.join(list(tasks)[:5])}")
    return tasks[task_id]
