"""The peptides domain's `build`: it makes a campaign's tasks of template peptides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from boltbo.domains.build import Built
from boltbo.domains.peptides.benchmark import TRAIN, VALIDATION, benchmark_split
from boltbo.domains.peptides.domain import DEFAULT_OBJECTIVE, PeptidesDomain
from boltbo.domains.peptides.latent import Recipe, ensure_vae, read_corpus
from boltbo.domains.peptides.similarity import edit_budget
from boltbo.domains.peptides.split import NEAR_COPY, split
from boltbo.domains.peptides.templates import Template, read_templates
from boltbo.errors import ConfigError
from boltbo.problem import Task
from boltbo.settings import Frozen, explain
from boltbo.system.progress import Bars

BENCHMARK = "benchmark"


class PeptidesOptions(Frozen):
    """The [domain] table of a peptides campaign."""

    templates: str = Field(BENCHMARK, description="a FASTA or CSV file, or benchmark: peptides of the package modlamp")
    train: Annotated[int, Field(ge=1)] | None = Field(None, description="training tasks; none: all that are left")
    validation: Annotated[int, Field(ge=0)] = Field(10, description="validation tasks, no near copies of training ones")
    identity: Annotated[float, Field(gt=0, le=1)] = Field(
        NEAR_COPY, description="share of equal residues from which on two templates of a file are near copies"
    )
    split_seed: int = Field(
        0, description="seed of the draw of training and validation tasks; campaigns of several seeds share them"
    )
    similarity: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.75, description="least similarity: (template's length - edits) / template's length"
    )
    objective: str = Field(
        DEFAULT_OBJECTIVE,
        description="targets: all, gram-negative, gram-positive, or species joined by +; after ' - ' those to spare",
    )
    pessimism: Annotated[float, Field(ge=0)] = Field(
        0.0, description="how many spreads of the prediction are held against a candidate"
    )
    predictor: str = Field("shipped", description="the oracle: shipped, a trained folder, or module:Name of your own")
    space: Literal["strings", "latent"] = Field(
        "strings",
        description="where optimizers search: among strings (edits, evolution), or a VAE's box (lolbo, turbo)",
    )
    corpus: str | None = Field(None, description="latent only: a file of peptides to learn from, beside the templates")
    latent: Annotated[int, Field(ge=2)] = Field(256, description="latent only: dimensions of the space")
    sequences: Annotated[int, Field(ge=1)] = Field(
        30_000,
        description="latent only: number of training sequences, random relatives of corpus and templates included",
    )


@contextmanager
def build(options: Mapping[str, Any], seed: int, caches: Path, bars: Bars) -> Iterator[Built]:
    """The door through which the command line reaches this domain.

    Raises:
        ConfigError: An option is unknown or wrong, a file has what is no template, or there are too few templates.
    """
    try:
        chosen = PeptidesOptions(**options)
    except ValidationError as error:
        raise explain(error, "[domain]") from error
    domain = PeptidesDomain(
        chosen.predictor,
        objective=chosen.objective,
        pessimism=chosen.pessimism,
        least=chosen.similarity,
        vae=caches / "vae" if chosen.space == "latent" else None,
    )
    train, validation = _parts(chosen)
    bars.note(f"{len(train)} training and {len(validation)} validation templates; objective {domain.objective}")
    if domain.vae is not None:
        learnt = [t.sequence for t in train] + (read_corpus(Path(chosen.corpus)) if chosen.corpus else [])
        recipe = Recipe(sequences=chosen.sequences, latent=chosen.latent, seed=seed)
        with bars.track("peptides' VAE", 1) as update:
            report = ensure_vae(learnt, chosen.similarity, domain.vae, recipe, update)
        bars.note(
            f"the VAE writes {report['exact']:.0%} of held-out relatives exactly, {report['per_symbol']:.1%} of residues"
        )

    def task_from(path: Path) -> Task:
        templates = read_templates(path)
        if len(templates) != 1:
            raise ConfigError(f"{path} holds {len(templates)} templates, one was expected")
        return domain.task_of(editable(templates, chosen.similarity, path)[0])

    yield Built(domain, [domain.task_of(t) for t in train], [domain.task_of(t) for t in validation], task_from)


def _parts(options: PeptidesOptions) -> tuple[list[Template], list[Template]]:
    if options.templates != BENCHMARK:
        path = Path(options.templates)
        templates = editable(read_templates(path), options.similarity, path)
        return split(templates, options.train, options.validation, options.split_seed, options.identity)
    train_size = options.train or TRAIN
    if train_size > TRAIN or options.validation > VALIDATION:
        raise ConfigError(
            f"the benchmark has {TRAIN} training and {VALIDATION} validation templates, "
            f"{train_size} and {options.validation} are asked for"
        )
    train, validation = benchmark_split(options.split_seed)
    editable([*train, *validation], options.similarity, Path(BENCHMARK))
    return train[:train_size], validation[: options.validation]


def editable(templates: list[Template], least: float, path: Path) -> list[Template]:
    """The templates, if the similarity leaves something of each to change.

    Raises:
        ConfigError: It does not.
    """
    for template in templates:
        if edit_budget(template.sequence, least) < 1:
            raise ConfigError(
                f"{path}, record {template.name[:60]!r}: at a similarity of {least:g} none of its {len(template.sequence)} "
                f"residues may change; {math.floor(1000 * (1 - 1 / len(template.sequence))) / 1000:g} allows one edit"
            )
    return templates
