"""The words of the generated data, with what each of them goes with: a country, years, a kind of title.

`vocabulary.toml` holds the words; a workload's literals (see `harvest`) are blended in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import sqrt
from typing import Any
from zlib import crc32

import numpy as np

from boltbo.domains.plans.imdb.table import Floats

ERA_STARTS = (1880, 1930, 1950, 1965, 1980, 1995, 2006)
"""The first years of the eras."""

SHARE = 0.4
"""How much of a column's rows the workload's own texts get, against all generated ones."""


@dataclass(frozen=True)
class Country:
    """A country of production. `code` is a company's, without brackets; its films are of the years `since` to `until`."""

    name: str
    code: str
    share: float
    culture: str
    languages: Sequence[str]
    places: Sequence[str]
    certificates: Sequence[str]
    since: int
    until: int


@dataclass(frozen=True)
class Word:
    """A text with its weight, and where it is at home (None: everywhere)."""

    text: str
    weight: float
    country: int | None = None
    years: tuple[int, int] | None = None
    kind: int | None = None


@cache
def vocabulary() -> Mapping[str, Any]:
    """`vocabulary.toml`."""
    return tomllib.loads(files(__package__).joinpath("vocabulary.toml").read_text(encoding="utf-8"))


@cache
def countries() -> tuple[Country, ...]:
    return tuple(Country(*row) for row in vocabulary()["countries"])


@cache
def country_positions() -> Mapping[str, int]:
    """name, and code in brackets -> position in `countries`."""
    nations = countries()
    return {c.name: i for i, c in enumerate(nations)} | {f"[{c.code}]": i for i, c in enumerate(nations)}


def country_of(text: str) -> int | None:
    """The country that a text names: alone, before a colon (a certificate) or at the end (a place)."""
    positions = country_positions()
    for part in (text, text.split(":")[0], text.rpartition(", ")[2]):
        if part in positions:
            return positions[part]
    return None


def blend(words: Sequence[Word], literals: Mapping[str, float] | None) -> list[Word]:
    """Generated words and the workload's: words of both keep their weight, the workload's others share `SHARE` of it.

    Frequent ones in the workload are frequent in the data, though less so (a square root), for the rare to be found.
    """
    if not literals:
        return list(words)
    texts = {w.text for w in words}
    new = {text: sqrt(said) for text, said in literals.items() if text not in texts}
    ours = sum(w.weight for w in words) or 1.0
    unit = ours * SHARE / (1 - SHARE) / max(sum(new.values()), 1e-9) if words else 1.0
    # a handful of new texts must not take 40% of the rows
    unit = min(unit, ours / 20) if words else unit
    # among words that all have a home, one without would be at home everywhere: it gets one
    bound = bool(words) and all(w.country is not None for w in words)
    return [*words, *(Word(text, unit * weight, _home(text, bound)) for text, weight in new.items())]


def _home(text: str, bound: bool) -> int | None:
    country = country_of(text)
    return crc32(text.encode()) % len(countries()) if country is None and bound else country


def weights_by(words: Sequence[Word], n_kinds: int, strangers: float) -> Floats:
    """Weights of words for every (country, era, kind), shape (countries * eras * kinds, words).

    Args:
        words: What to choose from.
        n_kinds: How many kinds of title there are.
        strangers: The factor for a word of another country.
    """
    n_countries, n_eras = len(countries()), len(ERA_STARTS)
    by_country = np.ones((n_countries, len(words)))
    by_era = np.ones((n_eras, len(words)))
    by_kind = np.ones((n_kinds, len(words)))
    ends = (*ERA_STARTS[1:], 2021)
    for j, word in enumerate(words):
        if word.country is not None:
            by_country[:, j] = strangers
            by_country[word.country, j] = 1.0
        if word.years is not None:
            by_era[:, j] = [
                max(0.01, (min(end, word.years[1]) - max(start, word.years[0])) / (end - start))
                for start, end in zip(ERA_STARTS, ends, strict=True)
            ]
        if word.kind is not None:
            by_kind[:, j] = 0.03
            by_kind[word.kind, j] = 1.0
    base = np.array([w.weight for w in words])
    weights = by_country[:, None, None] * by_era[None, :, None] * by_kind[None, None, :] * base
    return np.asarray(weights.reshape(-1, len(words)))
