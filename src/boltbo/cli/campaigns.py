"""`boltbo run`, `status` and `report`: a campaign as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from boltbo.cli.common import (
    Configuration,
    Format,
    FormatOption,
    NameOption,
    SetOption,
    StorageOption,
    console,
    opened,
    plain,
    print_json,
)
from boltbo.errors import ConfigError


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
        table.add_row(key, plain(value))
    console.print(table)
    if steps:
        console.print(steps_table(steps))


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
        typer.Option(
            metavar="CONFIG.toml", help="With --html: the configuration whose domain says how solutions are drawn."
        ),
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


def _write_page(store: Any, path: Path, config: Path | None) -> None:
    from boltbo.cli.config import load_config
    from boltbo.cli.drawings import built_in_drawing
    from boltbo.report.campaign import Gathered, campaign_page
    from boltbo.system.files import write_whole

    gathered = Gathered.read(store)
    drawing = built_in_drawing(str(gathered.row["domain"])) if config is None else load_config(config).drawing
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(
            path, campaign_page(gathered, drawing), errors="replace"
        )  # a candidate may hold half a surrogate pair
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
