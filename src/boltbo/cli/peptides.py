"""`boltbo peptides …`: what a peptide designer does beside a campaign."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from boltbo.cli.common import Format, FormatOption, console, print_json
from boltbo.errors import ConfigError

peptides = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Peptides: design relatives of a template, train a predictor."
)


class StringOptimizer(StrEnum):
    EDITS = "edits"
    EVOLUTION = "evolution"


@peptides.callback()
def root() -> None:
    """Peptides: design relatives of a template, train a predictor."""


@peptides.command()
def design(
    templates: Annotated[
        Path, typer.Argument(metavar="FILE", help="The templates: FASTA, or CSV with a column sequence.")
    ],
    species: Annotated[
        str,
        typer.Option(
            help="Targets: all, gram-negative, gram-positive, or species joined by +; after ' - ' those to spare."
        ),
    ] = "all",
    budget: Annotated[int, typer.Option(min=1, help="Oracle calls for each template.")] = 500,
    similarity: Annotated[
        float,
        typer.Option(min=0.01, max=0.99, help="Least similarity: (template's length - edits) / template's length."),
    ] = 0.75,
    pessimism: Annotated[
        float, typer.Option(min=0.0, help="How many spreads of the prediction are held against a candidate.")
    ] = 0.0,
    families: Annotated[int, typer.Option(min=1, max=26, help="Groups of candidates far from each other.")] = 3,
    top: Annotated[int, typer.Option(min=1, help="Candidates listed for each template, over all families.")] = 20,
    model: Annotated[
        str | None, typer.Option(metavar="CAMPAIGN.db", help="Begin with proposals of this campaign's last model.")
    ] = None,
    initial: Annotated[
        int, typer.Option(min=1, help="Oracle calls on initial candidates, before the optimizer goes on.")
    ] = 50,
    optimizer: Annotated[
        StringOptimizer,
        typer.Option(help="edits: Bayesian optimization; evolution: an evolutionary search, as a comparison."),
    ] = StringOptimizer.EDITS,
    predictor: Annotated[
        str, typer.Option(help="The oracle: shipped, a folder of train-oracle, or module:Name of your own.")
    ] = "shipped",
    judge: Annotated[
        str, typer.Option(help="A second model, named as for --predictor, that no search asks; none: no judge.")
    ] = "shipped",
    known: Annotated[
        Path | None,
        typer.Option(help="Known peptides, one a line or FASTA: novelty is measured against them; default: modlamp's."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="How many templates are searched at a time.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    out: Annotated[
        Path, typer.Option(help="The folder to write to; given again, the search goes on from there.")
    ] = Path("designs"),
    format: FormatOption = Format.TABLE,
) -> None:
    """Design close relatives of each template with a low predicted MIC; write CSV, FASTA and a page.

    All that was predicted is kept in the folder, so a search that is stopped goes on with the same command. Predictions are
    no measurements: a second model that no search asks judges beside the first.

      boltbo peptides design templates.fasta --species gram-negative

      boltbo peptides design templates.fasta --model campaign.db --budget 200 --families 5 --out better
    """
    from boltbo.cli.peptides_design import Search, carry_out
    from boltbo.domains.peptides.build import editable
    from boltbo.domains.peptides.domain import PeptidesDomain
    from boltbo.domains.peptides.shortlist.page import label
    from boltbo.domains.peptides.shortlist.tables import as_plain
    from boltbo.domains.peptides.templates import read_templates

    domain = PeptidesDomain(predictor, objective=species, pessimism=pessimism, least=similarity)
    chosen = editable(read_templates(templates), similarity, templates)
    search = Search(budget, initial, optimizer.value, model, seed)
    try:
        shortlists = carry_out(
            domain, chosen, search, out, workers, judge_name=judge, families=families, top=top, known=known
        )
    except KeyboardInterrupt:
        typer.echo(f"\nstopped; all that was predicted is in {out}: the same command goes on from here", err=True)
        raise typer.Exit(130) from None
    if format is Format.JSON:
        print_json({"out": str(out), "templates": [as_plain(s) for s in shortlists]})
        return
    table = Table("template", "its value", "best", "judge: from", "to", "candidates")
    table.add_column("best sequence", overflow="fold")
    for s in shortlists:
        best = s.candidates[0] if s.candidates else None
        one = best or s.template
        judged = [f"{v.judge.value:.3g}" if v.judge else "-" for v in (s.template, one)]
        table.add_row(
            s.name, f"{s.template.oracle.value:.3g}", f"{one.oracle.value:.3g}", *judged, str(len(s.candidates)),
            f"{label(one)} {one.sequence}".strip(),
        )  # fmt: skip
    console.print(table)
    console.print(f"values in µM (ratios where species are spared); all of it: {out / 'designs.html'}, .csv, .fasta")


@peptides.command("train-oracle")
def train_oracle(
    measured: Annotated[
        Path,
        typer.Argument(metavar="FILE.csv", help="sequence,SPECIES,…: log10 of the MIC in µM, empty: not measured."),
    ],
    out: Annotated[Path, typer.Option(help="The folder to write to; --predictor of design reads it.")] = Path("oracle"),
    members: Annotated[int, typer.Option(min=1, help="How many networks the ensemble has.")] = 5,
    judge: Annotated[bool, typer.Option("--judge/--no-judge", help="Train a judge of another family, too.")] = True,
    folds: Annotated[
        int, typer.Option(help="Folds of each cross-validation, 2 or more; 0: do not cross-validate.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    format: FormatOption = Format.TABLE,
) -> None:
    """Train a predictor of MIC, and a judge, on measurements of your own; cross-validate both.

    Two splits: at random, and by clusters of like peptides, which says what is known of families never measured. The
    numbers are kept in FOLDER/validation.json.

      boltbo peptides train-oracle measured.csv --out mine

      boltbo peptides design templates.fasta --predictor mine --judge mine
    """
    from boltbo.cli.peptides_oracle import carry_out, show

    if folds == 1 or folds < 0:
        raise ConfigError(f"--folds is {folds}: expected 2 or more, or 0 for no cross-validation")
    record = carry_out(measured, out, members, seed, judge, folds)
    if format is Format.JSON:
        print_json(record)
    else:
        show(record)
        console.print(f"written to {out}")
