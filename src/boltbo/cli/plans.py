"""`boltbo plans …`: what a database person does with plans once they are found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from boltbo.cli.common import Format, FormatOption, SetOption, console, opened, print_json
from boltbo.cli.config import load_config
from boltbo.errors import ConfigError

if TYPE_CHECKING:
    from boltbo.domains.plans.export.handover import Handover
    from boltbo.domains.plans.server.connection import Server
    from boltbo.domains.plans.server.objective import Objective

plans = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Query plans: hand them over, check them again."
)


class Form(StrEnum):
    SQL = "sql"
    HINTS = "hints"
    HINT_TABLE = "hint-table"


class Planning(StrEnum):
    EXCLUDED = "excluded"
    INCLUDED = "included"


PairsOption = Annotated[int, typer.Option(min=2, help="How often the plan and the default are each executed, in turn.")]
LimitOption = Annotated[float, typer.Option(min=0.001, help="Seconds for one execution of the default plan.")]


@plans.command()
def export(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The campaign whose plans are handed over.")],
    out: Annotated[Path, typer.Option(help="The folder to write to, in place of an earlier export.")] = Path("plans"),
    form: Annotated[
        Form, typer.Option(help="sql: a script with settings; hints: a comment; hint-table: INSERTs.")
    ] = Form.SQL,
    task: Annotated[list[str] | None, typer.Option("--task", help="Only this task; repeatable.")] = None,
    pairs: PairsOption = 11,
    limit: LimitOption = 60.0,
    planning: Annotated[Planning, typer.Option(help="Whether planning is part of the time.")] = Planning.EXCLUDED,
    storage: Annotated[str | None, typer.Option("--storage", metavar="URL", help="Default: CONFIG.db.")] = None,
    format: FormatOption = Format.TABLE,
    changes: SetOption = None,
) -> None:
    """Write down the plans that are faster than the server's own beyond noise.

    Each task's best plan is executed in turn with the default plan, in the form in which it is written, after its full
    result was compared. What is not faster beyond noise (a paired test, 95%) is listed and not written. A statement that
    is planned at each call pays for planning too: --planning included counts it.

      boltbo plans export examples/plans.toml --out faster

      boltbo plans export examples/plans.toml --form hint-table --planning included --out faster
    """
    from boltbo.domains.plans.domain import PlansDomain
    from boltbo.domains.plans.export.check import best_candidates, hand_over
    from boltbo.domains.plans.export.handover import DIFFERENT_RESULTS
    from boltbo.domains.plans.export.scripts import write
    from boltbo.system.progress import Bars

    where = storage or str(config.with_suffix(".db"))
    if "://" not in where and not Path(where).exists():
        raise ConfigError(f"there is no storage {where!r}: name one with --storage, or begin with boltbo run {config}")
    with opened(config, storage, changes=changes) as (campaign, problem):
        if not isinstance(problem.domain, PlansDomain):
            raise ConfigError(f"{config} is no campaign of query plans")
        store = campaign.storage
        best = best_candidates(store.trajectories(store.runs()))
        unknown = sorted(set(task or ()) - set(best))
        if unknown:
            raise ConfigError(f"no plan was found for {', '.join(unknown)}; there are {len(best)} tasks in {where}")
        chosen = [best[i] for i in sorted(set(task or best))]
        checked = []
        with Bars().track("plans checked", len(chosen)) as update:
            for i, (one, candidate) in enumerate(chosen):
                checked.append(hand_over(problem.domain, one, candidate, form.value, pairs, limit, planning.value))
                update(i + 1, len(chosen))
    checked = write(out, checked)
    _print(checked, format)
    if format is Format.TABLE:
        written = sum(h.holds for h in checked)
        console.print(
            f"{written} plans written to {out}; check them later: boltbo plans verify {out} --config {config}"
        )
    wrong = [h.task for h in checked if h.verdict == DIFFERENT_RESULTS]
    if wrong:
        typer.echo(
            f"THE RESULTS DIFFER from the query's own: {', '.join(wrong)}. Nothing was written for them. If the query always "
            "returns the same (no LIMIT without an order, no random(), no now()), this is a bug of boltbo: please report it.",
            err=True,
        )
        raise typer.Exit(1)


@plans.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder that boltbo plans export wrote.")],
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="postgresql://… of the database, as it is now.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="CONFIG.toml", help="The campaign whose database is used, in place of --database."),
    ] = None,
    pairs: PairsOption = 11,
    limit: LimitOption = 60.0,
    hint_plan: Annotated[str, typer.Option(help="Name or path of the library of pg_hint_plan.")] = "pg_hint_plan",
    format: FormatOption = Format.TABLE,
) -> None:
    """Check exported plans again: data, statistics and versions change.

    Does each still return the rows of the server's own plan, is it planned as it was, is it still faster? Exit status 1
    if one does not hold.

      boltbo plans verify faster --database postgresql://me@db/shop
    """
    from boltbo.domains.plans.export.check import check
    from boltbo.domains.plans.export.scripts import read
    from boltbo.domains.plans.server.choose_dialect import load_hint_plan
    from boltbo.system.progress import Bars

    exported = read(folder)
    checked = []
    with _server(database, config, hint_plan) as (server, objective):
        if any(h.form != "sql" for h in exported) and (reason := load_hint_plan(server)) is not None:
            raise ConfigError(f"these plans are hints, and the server has no pg_hint_plan: {reason}")
        with Bars().track("plans checked", len(exported)) as update:
            for i, handed in enumerate(exported):
                checked.append(check(server, handed, pairs, limit, objective))
                update(i + 1, len(exported))
    _print(checked, format)
    if not all(h.holds for h in checked):
        raise typer.Exit(1)


@plans.command("check")
def check_workload(
    workload: Annotated[
        str, typer.Argument(metavar="PATH", help="A folder of .sql files, one file, or pg_stat_statements.")
    ],
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Also ask this PostgreSQL whether it accepts each query.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="How many statements of pg_stat_statements are read, the most expensive first.")
    ] = 500,
    format: FormatOption = Format.TABLE,
) -> None:
    """Say which queries of a workload can be searched, and why the others cannot. Nothing is executed.

    boltbo plans check folder/with/sql

    boltbo plans check pg_stat_statements --database postgresql://me@db/shop
    """
    from contextlib import ExitStack

    from boltbo.domains.plans.server.address import shown
    from boltbo.domains.plans.server.connection import Server
    from boltbo.domains.plans.workload.files import read_path
    from boltbo.domains.plans.workload.pg_stat_statements import STAT_STATEMENTS, read_stat_statements
    from boltbo.domains.plans.workload.survey import summary, survey

    with ExitStack() as stack:
        server = None
        if database is not None:
            shown(database)  # refuses what is no URL
            server = Server(database)
            stack.callback(server.close)
        if workload != STAT_STATEMENTS:
            queries = read_path(Path(workload))
        elif server is not None:
            queries = read_stat_statements(server, limit)
        else:
            raise ConfigError("pg_stat_statements is read from a server: name it with --database")
        surveyed = survey(queries, server)
    said = summary(surveyed)
    if format is Format.JSON:
        print_json(
            {
                "summary": said,
                "queries": [asdict(s) for s in surveyed],
                "skipped": queries.skipped,
                "notes": queries.notes,
            }
        )
        return
    table = Table("query", "relations", "", box=box.SIMPLE_HEAD)
    for s in surveyed:
        if s.reason:
            table.add_row(escape(s.id), "+".join(map(str, s.relations)) or "-", escape(s.note))
    if table.row_count:
        console.print(table)
    for note in queries.remarks():
        console.print(escape(note))
    console.print(escape(said))


@contextmanager
def _server(database: str | None, config: Path | None, hint_plan: str) -> Iterator[tuple[Server, Objective | None]]:
    """The server to check on, and the objective of the campaign where one is named."""
    from boltbo.domains.plans.domain import PlansDomain
    from boltbo.domains.plans.server.connection import Server
    from boltbo.system.progress import Bars

    if (database is None) == (config is None):
        raise ConfigError("say where to check: --database URL, or --config CONFIG.toml")
    if config is None:
        server = Server(str(database), hint_plan=hint_plan)
        try:
            yield server, None
        finally:
            server.close()
        return
    loaded = load_config(config)
    with loaded.build(loaded.options, loaded.settings.seed, config.with_suffix(".artifacts"), Bars()) as problem:
        if not isinstance(problem.domain, PlansDomain):
            raise ConfigError(f"{config} is no campaign of query plans")
        yield problem.domain.server, problem.domain.objective


def _print(checked: Sequence[Handover], format: Format) -> None:

    if format is Format.JSON:
        print_json([asdict(h) for h in checked])
        return
    units = ", ".join(dict.fromkeys(h.unit for h in checked))
    table = Table("query", f"before, {units}", "after", "ratio", "95% interval", "runs", "verdict", box=box.SIMPLE_HEAD)
    for h in checked:
        c = h.comparison
        numbers = ["-"] * 5
        if c is not None:
            span = f"{c.low:.2f} to {c.high:.2f}"
            shown = [_median(values, h.shown) for values in (c.before, c.after)]
            numbers = [*shown, f"{c.ratio:.2f}", span, str(len(c.before))]
        table.add_row(escape(h.task), *numbers, f"[{'green' if h.holds else 'yellow'}]{escape(h.verdict)}[/]")
    console.print(table)


def _median(values: tuple[float, ...], shown: float) -> str:
    from statistics import median

    return f"{shown * median(values):.4g}" if values else "stopped"
