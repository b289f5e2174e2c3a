"""A named experiment: a campaign, and the arms that are run on its validation tasks when it is finished.

version = 1
campaign = "../peptides.toml"           # beside this file
seeds = [0, 1, 2]                       # a campaign each, with all arms
arms = ["bolt+bo", "shuffled", "temperature=1.0"]

[variants]                              # campaigns with other settings, to compare
one-round = ["rounds=[200]"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from boltbo.errors import ConfigError
from boltbo.settings import Frozen, explain

FOLDER = Path("research") / "experiments"
"""Where experiments are found by name, from the folder of the repository"""


class Described(Frozen):
    """The keys of an experiment's TOML file."""

    version: Annotated[int, Field(ge=1)] = 1
    title: str = ""
    question: str = Field("", description="what its page answers")
    campaign: str
    changes: tuple[str, ...] = Field((), description="key=value, as with boltbo run --set")
    seeds: tuple[int, ...] = Field((), description="empty: the campaign's own")
    arms: tuple[str, ...] = ()
    variant_arms: tuple[str, ...] = Field((), description="those of `arms` that variants have too")
    variants: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Part:
    """One campaign of an experiment: a variant of its settings ('' for none) and a seed (None: the campaign's own)."""

    variant: str
    seed: int | None
    changes: tuple[str, ...]
    arms: tuple[str, ...]

    def storage(self, base: str) -> str:
        """Where its campaign is stored: `base` for the plain one, a name of its own for any other."""
        words = [self.variant] * bool(self.variant) + [f"seed{self.seed}"] * (self.seed is not None)
        if not words:
            return base
        path = Path(base)
        if "://" in base:
            raise ConfigError(
                f"an experiment with seeds or variants needs a file as --storage, one for each is made of it; got {base!r}"
            )
        return str(path.with_name("-".join([path.stem, *words]) + path.suffix))


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment, checked; `campaign` is the path of the campaign's TOML file."""

    name: str
    version: int
    title: str
    question: str
    campaign: Path
    parts: Sequence[Part]


def read_experiment(name: str) -> Experiment:
    """The experiment of a name (`research/experiments/NAME.toml`) or of a path that ends in .toml.

    Raises:
        ConfigError: There is no such experiment, or its file cannot be used.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.toml"))) or "none"
        raise ConfigError(f"no experiment {name!r}: {path} cannot be read; there are: {known}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    try:
        described = Described(**table)
    except ValidationError as error:
        raise explain(error, path) from error
    if odd := set(described.variant_arms) - set(described.arms):
        raise ConfigError(f"{path}: variant_arms has {', '.join(sorted(odd))}, which arms has not")
    return Experiment(
        name=path.stem,
        version=described.version,
        title=described.title or path.stem,
        question=described.question,
        campaign=path.parent / described.campaign,
        parts=_parts(described),
    )


def _parts(d: Described) -> list[Part]:
    seeds: Sequence[int | None] = d.seeds or (None,)
    plain = [Part("", s, (*d.changes, *_seed(s)), d.arms) for s in seeds]
    varied = [
        Part(variant, s, (*d.changes, *own, *_seed(s)), d.variant_arms)
        for variant, own in d.variants.items()
        for s in seeds
    ]
    return [*plain, *varied]


def _seed(seed: int | None) -> tuple[str, ...]:
    return () if seed is None else (f"seed={seed}",)
