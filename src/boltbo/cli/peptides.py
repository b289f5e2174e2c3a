"""`boltbo peptides …`: what a peptide designer does beside a campaign."""

from __future__ import annotations

import typer

peptides = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Peptides: design relatives of a template, train a predictor."
)


@peptides.callback()
def root() -> None:
    """Peptides: design relatives of a template, train a predictor."""
