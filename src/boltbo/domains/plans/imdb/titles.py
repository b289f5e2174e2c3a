"""Titles: what each of them is (kind, country, year, genre, popularity), and the table `title`.

Everything else about a title is drawn from these hidden factors, most of all from its popularity. That is what makes the
joins of its tables correlated, and the server's estimates, which assume independence, wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boltbo.domains.plans.imdb.harvest import Literals
from boltbo.domains.plans.imdb.random_draws import choose, choose_by_group, choose_members, heavy_tail
from boltbo.domains.plans.imdb.soundex import phonetic_code
from boltbo.domains.plans.imdb.table import Column, Floats, Ints, Table, null, numbered, texts
from boltbo.domains.plans.imdb.vocabulary import ERA_STARTS, countries, vocabulary

PER_SCALE = 150_000
"""Titles at scale 1."""

KIND_SHARE = (0.33, 0.07, 0.07, 0.09, 0.02, 0.03, 0.39)
KIND_FAME = (1.5, 1.8, 0.9, 0.6, 1.1, 0.7, 0.7)
"""Share and mean popularity of each kind of title, in the order of the dictionary."""

KIND_SINCE = (1890, 1947, 1950, 1979, 1965, 1981, 1947)
EPISODE = 6
SERIES = (1, 4)


@dataclass(frozen=True)
class Titles:
    """The hidden factors, one entry a title.

    Attributes:
        kind: Position in the dictionary of kinds.
        country: Position in `countries()`.
        year: Year of production, also where the table hides it.
        era: Position in `ERA_STARTS`.
        genre: Position of the main genre in the list of genres.
        popularity: Heavy-tailed, mean about 1.
        series: The title that an episode belongs to, else -1.
    """

    kind: Ints
    country: Ints
    year: Ints
    era: Ints
    genre: Ints
    popularity: Floats
    series: Ints

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def profile(self) -> Ints:
        """Country, era and kind as one number: the row of `weights_by`."""
        return (self.country * len(ERA_STARTS) + self.era) * len(KIND_SHARE) + self.kind

    @property
    def scene(self) -> Ints:
        """Country and era as one number: who works together."""
        return self.country * len(ERA_STARTS) + self.era


def make_titles(rng: np.random.Generator, n: int) -> Titles:
    """Draw the hidden factors of n titles."""
    kind = choose(rng, np.array(KIND_SHARE), n)
    kind[: len(KIND_SHARE)] = np.arange(len(KIND_SHARE))  # even the smallest data have every kind
    shares = np.array([c.share for c in countries()])
    country = choose(rng, shares, n)
    year = _years(rng, kind, country)
    popularity = heavy_tail(rng, n, 1.25, 60.0) * np.array(KIND_FAME)[kind]
    popularity *= (shares[country] / shares.max()) ** 0.2 * 1.3
    series = np.full(n, -1)
    episodes = np.flatnonzero(kind == EPISODE)
    shows = np.flatnonzero(np.isin(kind, SERIES))
    of = shows[choose(rng, popularity[shows], len(episodes))]
    series[episodes] = of
    country[episodes] = country[of]
    year[episodes] = np.minimum(year[of] + rng.geometric(0.25, len(episodes)) - 1, 2019)
    genre_weights = np.array(list(vocabulary()["genre_weights"].values()), dtype=float)
    genre = choose_by_group(rng, genre_weights, kind)
    genre[episodes] = genre[of]
    era = np.searchsorted(np.array(ERA_STARTS), year, side="right") - 1
    return Titles(kind, country, year, np.asarray(era), genre, popularity, series)


def _years(rng: np.random.Generator, kind: Ints, country: Ints) -> Ints:
    """Years within the lives of kind and country, more of them late than early."""
    since = np.maximum(np.array(KIND_SINCE)[kind], np.array([c.since for c in countries()])[country])
    until = np.maximum(np.array([c.until for c in countries()])[country], since)
    span = until - since
    late = since + np.floor(span * rng.beta(2.2, 1.0, len(kind)))
    early = since + np.floor(span * rng.beta(1.3, 3.0, len(kind)))
    return np.asarray(np.where(rng.random(len(kind)) < 0.35, early, late), dtype=np.int64)


def title_table(rng: np.random.Generator, titles: Titles, literals: Literals) -> Table:
    """The table `title`."""
    n = len(titles)
    season = np.where(titles.kind == EPISODE, rng.geometric(0.4, n), -1)
    number = np.where(titles.kind == EPISODE, rng.geometric(0.08, n), -1)
    names = _names(rng, titles, season, number, list(literals.get("title.title", {})))
    year = np.where(rng.random(n) < 0.03, -1, titles.year)
    show = np.isin(titles.kind, SERIES)
    ends = np.minimum(titles.year + rng.geometric(0.3, n), 2019)
    spans = [f"{a}-{b}" if s else None for a, b, s in zip(titles.year, ends, show, strict=True)]
    return numbered(
        {
            "title": names,
            "imdb_index": _roman(rng, n),
            "kind_id": Column(titles.kind + 1),
            "production_year": Column(year),
            "imdb_id": null(n),
            "phonetic_code": codes_of(names),
            "episode_of_id": Column(np.where(titles.series >= 0, titles.series + 1, -1)),
            "season_nr": Column(season),
            "episode_nr": Column(number),
            "series_years": texts(spans),
            "md5sum": null(n),
        }
    )


def _names(rng: np.random.Generator, titles: Titles, season: Ints, number: Ints, said: Sequence[str]) -> Column:
    """Names of titles; those of the workload go to popular titles, each to one to three of them."""
    n = len(titles)
    names = invent(rng, vocabulary()["words"]["titles"], n)
    numbered_ones = np.flatnonzero((titles.kind == EPISODE) & (rng.random(n) < 0.4))
    for i in numbered_ones:
        names[i] = f"(#{season[i]}.{number[i]})"
    wanted = np.repeat(np.arange(len(said)), rng.integers(1, 4, len(said)))[: n // 4]
    # the group says whether it is an episode's name
    home = np.array([text.startswith("(#") for text in said], dtype=np.int64)[wanted]
    at = choose_members(rng, titles.popularity, (titles.kind == EPISODE).astype(np.int64), home, 1.0)
    for i, word in zip(at, wanted, strict=True):
        names[i] = said[word]
    return texts(names)


def invent(rng: np.random.Generator, forms: Sequence[str], n: int, **more: Sequence[str]) -> list[str]:
    """n texts from forms like `The {A} {N}`, filled with adjectives, nouns, places and whatever `more` names."""
    words = vocabulary()["words"]
    lists = {"A": words["adjectives"], "N": words["nouns"], "N2": words["nouns"], "P": words["places"]} | more
    form = rng.integers(len(forms), size=n)
    picks = {key: rng.integers(len(texts), size=n) for key, texts in lists.items()}

    def fill(i: int) -> str:
        filled: str = forms[form[i]].format(**{key: lists[key][at[i]].capitalize() for key, at in picks.items()})
        return filled

    return [fill(i) for i in range(n)]


def aka_title_table(rng: np.random.Generator, titles: Titles) -> Table:
    """The table `aka_title`: other names of the better known."""
    movie = np.repeat(np.arange(len(titles)), rng.poisson(0.13 * titles.popularity))
    n = len(movie)
    names = texts(invent(rng, vocabulary()["words"]["titles"], n))
    return numbered(
        {
            "movie_id": Column(movie + 1),
            "title": names,
            "imdb_index": null(n),
            "kind_id": Column(titles.kind[movie] + 1),
            "production_year": Column(titles.year[movie]),
            "phonetic_code": codes_of(names),
            "episode_of_id": null(n),
            "season_nr": null(n),
            "episode_nr": null(n),
            "note": texts([f"({countries()[c].name})" for c in titles.country[movie]]),
            "md5sum": null(n),
        }
    )


def codes_of(names: Column) -> Column:
    """The phonetic codes of a column of texts."""
    by_word = texts([phonetic_code(word) for word in names.words or ()])
    return Column(np.where(names.codes >= 0, by_word.codes[names.codes], -1), by_word.words)


def _roman(rng: np.random.Generator, n: int) -> Column:
    return Column(np.where(rng.random(n) < 0.05, rng.integers(0, 4, n), -1), ("I", "II", "III", "IV"))
