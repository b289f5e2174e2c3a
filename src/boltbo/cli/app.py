"""The verbs of the `boltbo` command, in the order in which a user meets them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from boltbo._version import __version__
from boltbo.cli import campaigns, tasks
from boltbo.cli.common import Format, FormatOption, StorageOption, console, print_json
from boltbo.cli.peptides import peptides
from boltbo.cli.plans import plans

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", add_completion=False, pretty_exceptions_enable=False)


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


def settings() -> None:
    """Print every setting with its type, its default and what it means, as Markdown.

    boltbo settings > settings.md
    """
    from boltbo.cli.settings import reference

    typer.echo(reference(), nl=False)


def doctor(
    storage: StorageOption = None,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="Look at this PostgreSQL instead: postgresql://…")
    ] = None,
    hint_plan: Annotated[
        str, typer.Option(help="With --database: name or path of the library of pg_hint_plan.")
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


for verb in (campaigns.run, campaigns.status, campaigns.report, tasks.propose, tasks.optimize):
    app.command()(verb)
app.command("import")(tasks.import_)
app.command()(doctor)
app.command()(settings)
app.add_typer(plans, name="plans")
app.add_typer(peptides, name="peptides")
