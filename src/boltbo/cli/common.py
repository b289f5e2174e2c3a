"""What several verbs share: the options, an opened campaign, output for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from boltbo.cli.config import load_config
from boltbo.domains.build import Built
from boltbo.errors import ConfigError

if TYPE_CHECKING:
    from boltbo.campaign.campaign import Campaign

console = Console()


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="table: for people; json: for programs.")]
Configuration = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The campaign: settings and domain.")]
StorageOption = Annotated[
    str | None,
    typer.Option("--storage", metavar="URL", help="A file or database URL; default: CONFIG.db, or boltbo.db."),
]  # fmt: skip
NameOption = Annotated[
    str | None, typer.Option("--name", help="Name of the campaign, needed where the storage holds several.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting in place of the configuration's; repeatable."),
]


@contextmanager
def opened(
    config: Path, storage: str | None, workers: int | None = None, changes: list[str] | None = None
) -> Iterator[tuple[Campaign, Built]]:
    """Open the campaign of a configuration file, with its domain ready to score."""
    loaded = load_config(config, changes or ())
    settings = loaded.settings if workers is None else loaded.settings.model_copy(update={"workers": workers})
    from boltbo.campaign.campaign import Campaign
    from boltbo.system.progress import Bars

    where = storage or str(config.with_suffix(".db"))
    caches = config.with_suffix(".artifacts") if "://" in where else Path(where).with_suffix(".artifacts")
    bars = Bars()
    try:
        with loaded.build(loaded.options, settings.seed, caches, bars) as problem:
            try:
                campaign = Campaign(problem.domain, problem.tasks, problem.validation, settings=settings, storage=where)
            except ValueError as error:
                raise ConfigError(f"{config}: {error}") from error
            yield campaign, problem
    except KeyboardInterrupt:
        typer.echo(f"\nstopped; all that was measured is in {where}: the same command goes on from here", err=True)
        raise typer.Exit(130) from None


def print_json(value: Any) -> None:
    typer.echo(json.dumps(_finite(value), indent=1, default=str))


def _finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not know, by None."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))) else value


def plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "\n".join(f"{k}: {plain(v)}" for k, v in value.items())
    return "-" if value is None else str(value)
