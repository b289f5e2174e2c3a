"""The `boltbo-bench` command: named experiments, the tables made of their result files, and the targets."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from boltbo.cli.common import Format, FormatOption, SetOption, console, opened, print_json
from boltbo.cli.config import load_config

bench = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)

ResultsOption = Annotated[Path, typer.Option("--results", help="The folder of result files.")]
RESULTS = Path("research") / "results"


@bench.callback()
def root() -> None:
    """Measure what the paper claims on named experiments, and report it.

    boltbo-bench run small                    a campaign, then its arms; stop and repeat it at any time

    boltbo-bench tables                       the pages of docs/results and their figures, from the result files

    boltbo-bench targets --format json        what is claimed, met or not
    """


@bench.command()
def run(
    experiment: Annotated[str, typer.Argument(help="A name in research/experiments, or a .toml file.")],
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="X.db", help="Default: EXPERIMENT.db; arms are in X-arms.db.")
    ] = None,
    changes: SetOption = None,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", help="Instead of the experiment's arms; repeatable.")
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option("--seed", help="Of the experiment's, these alone; repeatable.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option("--variant", help="Of the experiment's, these alone ('': none); repeatable.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at a time.")] = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Run an experiment's campaigns and their arms, or go on with them, and write its result file, anew after each arm.

    Everything paid for is on disk before the next oracle call: Ctrl-C or kill, then the same command again.

      boltbo-bench run peptides --storage peptides.db

      boltbo-bench run plans --storage ceb.db --set domain.workload=PATH/TO/ceb --arm bolt+bo --arm shuffled
    """
    from boltbo_bench.experiments.arms import parse_arm
    from boltbo_bench.experiments.experiment import read_experiment
    from boltbo_bench.experiments.result_file import add_part, part_of, result_path, told_command
    from boltbo_bench.experiments.runner import run_arms

    chosen = read_experiment(experiment)
    path = result_path(results, chosen.name)
    command = told_command(["boltbo-bench", *(sys.argv[1:] if sys.argv[1:2] == ["run"] else ["run"])])
    parts = [p for p in chosen.parts if _wanted(p.seed, seed) and _wanted(p.variant, variant)]
    if not parts:
        raise typer.BadParameter("the experiment has no such part", param_hint="--seed, --variant")
    for part in parts:  # before anything is paid for
        for text in part.arms if arm is None else arm:
            parse_arm(text, load_config(chosen.campaign, [*part.changes, *(changes or ())]).settings)
    for part in parts:
        told = [*part.changes, *(changes or ())]
        where = part.storage(storage or f"{chosen.name}.db")
        with opened(chosen.campaign, where, workers, told) as (campaign, _):
            if not campaign.finished:
                campaign.run()
            options = load_config(chosen.campaign, told).options
            add_part(path, chosen, part_of(campaign, part.variant, command, options))
            for text in part.arms if arm is None else arm:
                run_arms(campaign, [text])
                add_part(path, chosen, part_of(campaign, part.variant, command, options))
    console.print(f"written: {path}")


@bench.command()
def tables(
    results: ResultsOption = RESULTS,
    out: Annotated[Path, typer.Option(help="The folder of the pages and their figures.")] = Path("docs") / "results",
) -> None:
    """Write the pages of results and their figures from the result files, and nothing else.

    boltbo-bench tables
    """
    from boltbo_bench.experiments.page import write_pages

    for path in write_pages(results, out):
        console.print(f"written: {path}")


@bench.command()
def targets(results: ResultsOption = RESULTS, format: FormatOption = Format.TABLE) -> None:
    """Say which targets are met, by the result files alone.

    A target is met where the ratio of sums reaches its goal and the whole 95% interval lies on the goal's side of 1. Where the
    winners of a campaign were measured again side by side (research/scripts/plans/winners.py), it is read from those values.

      boltbo-bench targets --format json
    """
    from boltbo_bench.experiments.targets import targets as found_in

    found = found_in(results)
    if format is Format.JSON:
        print_json([asdict(t) for t in found])
        return
    table = Table("target", "ratio", "95% interval", "typical", "goal", "met")
    for t in found:
        between = "" if t.interval is None else f"{t.interval[0]:.3g} to {t.interval[1]:.3g}"
        typical = "" if t.typical is None else f"{t.typical[0]:.3g} ({t.typical[1]:.3g} to {t.typical[2]:.3g})"
        met = {True: "[green]yes[/green]", False: "[red]no[/red]", None: "-"}[t.met]
        table.add_row(t.name, t.missing if t.ratio is None else f"{t.ratio:.3g}", between, typical, t.goal, met)
    console.print(table)


def main() -> None:
    """Run the command line."""
    from boltbo.cli import run as run_command_line

    run_command_line("boltbo-bench", lambda: bench)


def _wanted(value: object, among: list[int] | list[str] | None) -> bool:
    return among is None or value in among
