"""The verbs. Each reads its arguments, calls what does the work, and prints a table or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from boltbo._version import __version__
from boltbo.cli.common import Format, FormatOption, SetOption, console, opened, print_json
from boltbo.cli.peptides import peptides
from boltbo.cli.plans import plans
from boltbo.domains.build import Built
from boltbo.errors import ConfigError
from boltbo.problem import Task

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False)
app.add_typer(plans, name="plans")
app.add_typer(peptides, name="peptides")


class Start(StrEnum):
    MODEL = "model"
    DESIGN = "design"


Configuration = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The campaign: settings and domain.")]
StorageOption = Annotated[
    str | None,
    typer.Option("--storage", metavar="URL", help="A file or database URL; default: CONFIG.db, or boltbo.db."),
]  # fmt: skip
NameOption = Annotated[str | None, typer.Option("--name", help="The campaign, where the storage holds several.")]
TaskOption = Annotated[str | None, typer.Option("--task", help="The id of one of the configuration's tasks.")]
NewOption = Annotated[
    Path | None, typer.Option("--new", metavar="FILE", help="A file that describes a new task, such as an SQL query.")
]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    """Large-scale multi-task Bayesian optimization with a language model.

    Every solved task makes the next one cheaper: its best solutions teach a language model, which proposes where the next
    search starts.

    [bold]A campaign from beginning to end[/bold]

      boltbo doctor                                what works here, what is missing, how to get it

      boltbo run examples/plans.toml               solve tasks in rounds; stop and repeat it at any time

      boltbo status --storage examples/plans.db    where it stands

      boltbo report --storage examples/plans.db    the table, and a picture

      boltbo import examples/plans.toml old.csv    begin with what was measured before

      boltbo propose examples/plans.toml --new query.sql      good plans for a query it has never seen

      boltbo optimize examples/plans.toml --new query.sql     and a search that goes on from them
    """
    if version:
        console.print(__version__)


@app.command()
def run(
    config: Configuration,
    storage: StorageOption = None,
    format: FormatOption = Format.TABLE,
    picture: Annotated[Path | None, typer.Option(help="Where to draw the result (.svg, .png).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time, in place of the configuration's.")] = None,
    changes: SetOption = None,
) -> None:
    """Run a campaign, or go on with it from wherever it was stopped.

    Everything paid for is on disk before the next oracle call: Ctrl-C, kill or power cut, then the same command again.

      boltbo run examples/plans.toml --picture result.png

      boltbo run examples/plans.toml --set domain.workload=my_queries --set run.budget=40 --storage mine.db
    """
    if picture is not None:
        from boltbo.drawing.picture import check_picture

        check_picture(picture)  # before anything is paid for
    with opened(config, storage, workers, changes) as (campaign, _):
        if campaign.finished:
            typer.echo("all rounds of this campaign are done: nothing is run again", err=True)
        results = campaign.run()
        drawn = _drawn(campaign.storage, picture)
    _print_results(results, format, drawn)


@app.command()
def settings() -> None:
    """Print every setting with its type, its default and what it means, as Markdown.

    boltbo settings > settings.md
    """
    from boltbo.cli.settings import reference

    typer.echo(reference(), nl=False)


@app.command()
def status(storage: StorageOption = None, name: NameOption = None, format: FormatOption = Format.TABLE) -> None:
    """Show where a campaign stands: tasks, rounds, oracle calls, models, and where the seconds went, step by step.

    boltbo status --storage examples/plans.db

    What was imported counts neither as an oracle call nor among the seconds.
    """
    from boltbo.campaign.results import progress_of

    with _existing(storage, name) as store:
        rows = progress_of(store)
    if format is Format.JSON:
        print_json(rows)
        return
    from boltbo.report.table import steps_table

    steps = rows.pop("steps")
    table = Table(title=f"{rows['name']} ({rows['domain']})", show_header=False)
    for key, value in rows.items():
        table.add_row(key, _plain(value))
    console.print(table)
    if steps:
        console.print(steps_table(steps))


@app.command()
def report(
    storage: StorageOption = None,
    name: NameOption = None,
    format: FormatOption = Format.TABLE,
    picture: Annotated[Path | None, typer.Option(help="Where to draw the result (.svg, .png).")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Where to write all of it as one page that needs no network."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG.toml", help="With --html, the campaign of a domain of your own: how it is drawn."),
    ] = None,
) -> None:
    """Show Best@k of each round's model beside the default, the initial design and STBO; draw them, or write a page.

      boltbo report --storage examples/plans.db --picture result.svg

    The page also has trajectories, the time, model versions and, task by task, what was found; of a running campaign, too.

      boltbo report --storage examples/plans.db --html result.html

    Solutions are drawn as the built-in domains draw them, or as the module that CONFIG.toml names does (its `drawing`).
    """
    from boltbo.campaign.results import Results

    with _existing(storage, name) as store:
        if html is not None:
            _write_page(store, html, config)
        results, drawn = Results.read(store), _drawn(store, picture)
    _print_results(results, format, drawn)
    if html is not None and format is Format.TABLE:
        console.print(f"page: {html}")


@app.command()
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


@app.command()
def optimize(
    config: Configuration,
    task: TaskOption = None,
    new: NewOption = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Oracle calls; default: the configuration's.")] = None,
    start: Annotated[Start, typer.Option(help="Where the search starts.")] = Start.MODEL,
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
    found: dict[str, Any] = {
        "task": chosen.id,
        "calls": sum(o.source != "import" for o in trajectory.observations),
        "scored as asked": f"{trajectory.as_asked:.1%}",
        "default": first.value if first and first.complete else None,
        "best": best.value if best else None,
        "source": best.source if best else None,
        "candidate": best.candidate if best else None,
    }
    if format is Format.JSON:
        print_json(found)
        return
    table = Table(show_header=False)
    for key, value in found.items():
        table.add_row(key, _plain(value))
    console.print(table)


class How(StrEnum):
    ADD = "add"
    REPLACE = "replace"


@app.command("import")
def import_(
    config: Configuration,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Old runs: .csv or .jsonl.")] = None,
    how: Annotated[
        How, typer.Option(help="A task's run starts from these and its initial candidates, or from these alone.")
    ] = How.ADD,
    optuna: Annotated[str | None, typer.Option(metavar="URL", help="An Optuna storage instead of FILE.")] = None,
    study: Annotated[str | None, typer.Option(help="With --optuna: the study.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="With --optuna: the task that the study was about.")
    ] = None,
    parameters: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="With --optuna: the parameter of each slot; default: x0,x1,…")
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
            found = campaign.import_runs(file, how.value, skip_invalid=skip_invalid)
        else:
            if file is not None or study is None:
                raise ConfigError("--optuna URL needs --study NAME and --task ID, and no FILE")
            from boltbo.cli.import_study import import_stored_study

            found, left_out = import_stored_study(
                campaign, _task(problem, task, None), optuna, study, parameters, how.value, skip_invalid
            )
    told: dict[str, Any] = {
        "observations": found.observations,
        "tasks": found.tasks,
        "imported before": found.repeated,
        "left out": {**left_out, "rows": len(found.skipped)},
        "reasons": list(found.skipped),
        "learnt from only, their runs have begun": list(found.begun),
    }
    if format is Format.JSON:
        print_json(told)
        return
    told["reasons"] = "\n".join(found.skipped[:10]) or None
    told["learnt from only, their runs have begun"] = ", ".join(found.begun[:10]) or None
    table = Table(show_header=False)
    for key, value in told.items():
        table.add_row(key, escape(_plain(value)))
    console.print(table)


@app.command()
def doctor(
    storage: StorageOption = None,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="Look at this PostgreSQL instead: postgresql://…")
    ] = None,
    hint_plan: Annotated[
        str, typer.Option(help="With --database: the library of pg_hint_plan, a name or a path.")
    ] = "pg_hint_plan",
    format: FormatOption = Format.TABLE,
) -> None:
    """Check what is installed and what works here: packages, embedded PostgreSQL, the model, the storage.

      boltbo doctor

    Or what a PostgreSQL of your own has, what each missing thing costs, and what to do. Exit status 1: boltbo cannot work.

      boltbo doctor --database postgresql://me@db/shop
    """
    from boltbo.cli.doctor import examine

    if database is None:
        findings = examine(storage)
    else:
        from boltbo.cli.doctor_database import examine_database

        findings = examine_database(database, hint_plan)
    if format is Format.JSON:
        print_json([f.__dict__ for f in findings])
    else:
        table = Table(box=None, show_header=False)
        for f in findings:
            notes = [f"costs: {f.cost}"] * bool(f.cost) + [f"do: {f.remedy}"] * bool(f.remedy)
            mark = "[green]ok[/green]" if f.works else "[red]no[/red]" if f.needed else "[yellow]--[/yellow]"
            table.add_row(mark, escape(f.part), escape("\n".join([f.found, *notes])))
        console.print(table)
    if not all(f.works for f in findings if f.needed):
        raise typer.Exit(1)


@contextmanager
def _existing(storage: str | None, name: str | None) -> Iterator[Any]:
    from boltbo.errors import StorageError
    from boltbo.storage import open_storage

    where = storage or "boltbo.db"
    if "://" not in where and not Path(where).exists():
        raise StorageError(
            f"there is no storage {where!r}; name one with --storage, or begin a campaign with boltbo run"
        )
    with open_storage(where) as store:
        store.find(name)
        yield store


def _task(problem: Built, task_id: str | None, new: Path | None) -> Task:
    if (task_id is None) == (new is None):
        raise ConfigError("say which task: --task ID of the configuration, or --new FILE")
    if new is not None:
        if problem.task_from is None:
            raise ConfigError("this domain cannot make a task of a file: use --task")
        return problem.task_from(new)
    known = {t.id: t for t in [*problem.tasks, *problem.validation]}
    if task_id not in known:
        raise ConfigError(f"no task {task_id!r}; there are {len(known)}, such as {', '.join(list(known)[:5])}")
    return known[task_id]


def _write_page(store: Any, path: Path, config: Path | None) -> None:
    from boltbo.cli.config import load_config
    from boltbo.cli.drawings import built_in_drawing
    from boltbo.report.campaign import Gathered, campaign_page
    from boltbo.system.files import write_whole

    gathered = Gathered.read(store)
    drawing = built_in_drawing(str(gathered.row["domain"])) if config is None else load_config(config).drawing
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, campaign_page(gathered, drawing), errors="replace")  # of halves of characters
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}; name another file with --html") from error


def _drawn(store: Any, picture: Path | None) -> Path | None:
    """The picture, written; None where none is wanted or there is nothing to draw yet."""
    if picture is None:
        return None
    from boltbo.report.campaign import Gathered
    from boltbo.report.figure import draw

    return draw(Gathered.read(store), picture)


def _print_results(results: Any, format: Format, drawn: Path | None) -> None:
    from boltbo.report.table import results_table

    if format is Format.JSON:
        print_json(results.as_dict())
        return
    if results.rows:
        console.print(results_table(results))
    else:
        console.print(f"{results.name}: {results.tasks_done} tasks solved; no validation task is finished yet")
    if drawn is not None:
        console.print(f"picture: {drawn}")


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "\n".join(f"{k}: {_plain(v)}" for k, v in value.items())
    return "-" if value is None else str(value)
