"""Facts about titles: the tables `movie_info` and `movie_info_idx`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from boltbo.domains.plans.imdb.harvest import Literals
from boltbo.domains.plans.imdb.random_draws import chance, choose, choose_by_group, fan_out
from boltbo.domains.plans.imdb.table import Column, Ints, Table, null, numbered, texts
from boltbo.domains.plans.imdb.titles import KIND_SHARE, Titles, invent
from boltbo.domains.plans.imdb.vocabulary import Word, blend, countries, vocabulary, weights_by

KINDS = len(KIND_SHARE)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

RATES: dict[int, tuple[float, float, float]] = {
    # info type: expected rows of a title of popularity 1, growth with popularity, factor for a word of another country
    1: (0.6, 0.35, 0.02),
    2: (0.6, 0.2, 1.0),
    3: (0.4, 0.5, 1.0),
    4: (0.7, 0.25, 0.02),
    5: (0.45, 0.95, 0.05),
    6: (0.3, 0.6, 1.0),
    7: (0.7, 0.9, 1.0),
    8: (0.85, 0.2, 0.01),
    16: (0.6, 0.8, 0.08),
    18: (0.35, 0.9, 0.01),
}
"""Rates of the info types that have a list of words; see `_words`."""

PROSE: dict[int, tuple[float, float]] = {
    9: (0.10, 1.0), 11: (0.04, 1.0), 12: (0.03, 1.0), 13: (0.12, 1.2), 15: (0.15, 1.2), 17: (0.30, 1.2),
    90: (0.01, 1.0), 94: (0.05, 1.0), 97: (0.05, 1.0), 98: (0.25, 0.6), 102: (0.03, 1.0), 103: (0.04, 1.0),
    104: (0.03, 1.0), 105: (0.10, 0.8), 106: (0.04, 1.4), 107: (0.06, 1.4), 108: (0.03, 1.2), 110: (0.02, 1.2),
}  # fmt: skip
"""info type: expected rows, growth with popularity; free texts and sums of money."""


def movie_info_table(rng: np.random.Generator, titles: Titles, literals: Literals) -> Table:
    """The table `movie_info`, ordered by title as the original is."""
    words: list[str] = []
    parts: list[tuple[Ints, Ints, Ints]] = []  # (title, info type, position in words)

    def add(kind: int, movie: Ints, codes: Ints, texts: Sequence[str]) -> None:
        parts.append((movie, np.full(len(movie), kind), codes + len(words)))
        words.extend(texts)

    for kind, (rate, growth, strangers) in RATES.items():
        movie = _mentions(rng, titles, rate, growth)
        words_of_kind = blend(_words(kind), literals.get(f"movie_info.info#{kind}"))
        weights = weights_by(words_of_kind, KINDS, strangers)
        if kind == 3:
            movie = np.sort(np.concatenate([movie, np.arange(len(titles))]))
            codes = choose_by_group(rng, weights, titles.profile[movie])
            first = np.concatenate([[True], movie[1:] != movie[:-1]])
            codes[first] = titles.genre[movie[first]]  # the main genre always, and first
        else:
            codes = choose_by_group(rng, weights, titles.profile[movie])
        # the same fact is not told twice
        keep = np.unique(movie * len(words_of_kind) + codes)
        movie, codes = keep // len(words_of_kind), keep % len(words_of_kind)
        if kind == 16:
            codes, texts_ = _release_dates(rng, titles, movie, codes, [w.text for w in words_of_kind])
            add(kind, movie, codes, texts_)
        else:
            add(kind, movie, codes, [w.text for w in words_of_kind])
    for kind, (rate, growth) in PROSE.items():
        movie = _mentions(rng, titles, rate, growth)
        own_texts = _prose(rng, kind, max(len(movie) // 3, 20))
        words_of_kind = blend([Word(t, 1.0) for t in own_texts], literals.get(f"movie_info.info#{kind}"))
        add(
            kind,
            movie,
            choose(rng, np.array([w.weight for w in words_of_kind]), len(movie)),
            [w.text for w in words_of_kind],
        )
    return _info_table(parts, words, rng)


def _mentions(rng: np.random.Generator, titles: Titles, rate: float, growth: float) -> Ints:
    """The titles that a fact is told of, once or more often: the title of each row, ascending."""
    expected = rate * titles.popularity**growth
    once = chance(rng, np.minimum(expected, 0.95))
    more = fan_out(rng, np.maximum(expected - 0.6, 0.0))
    return np.sort(np.concatenate([once, more]))


def _info_table(parts: Sequence[tuple[Ints, Ints, Ints]], words: Sequence[str], rng: np.random.Generator) -> Table:
    movie, kind, code = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.lexsort((kind, movie))
    n = len(order)
    notes = ("(approx.)", "(DVD)", "(TV)", "(premiere)", "(certificate)", "(studio)", "(interior)")
    return numbered(
        {
            "movie_id": Column(movie[order] + 1),
            "info_type_id": Column(kind[order]),
            "info": Column(code[order], words),
            "note": Column(np.where(rng.random(n) < 0.15, rng.integers(0, len(notes), n), -1), notes),
        }
    )


def _words(kind: int) -> list[Word]:
    """The words of an info type that are generated. A text may stand there several times, once for each of its homes."""
    terms = vocabulary()
    every = list(enumerate(countries()))
    if kind == 1:
        lists = list(enumerate(terms["runtimes"].values()))
        plain = [Word(t, 3.0 / (1 + i), None, None, k) for k, ts in lists for i, t in enumerate(ts)]
        abroad = [
            Word(f"{c.name}:{t}", 1.5 / (1 + i), at, None, k)
            for at, c in every[:14]
            for k, ts in lists
            for i, t in enumerate(ts[:6])
        ]
        return [*plain, *abroad]
    if kind == 3:
        weights = np.array(list(terms["genre_weights"].values()), dtype=float).mean(axis=0)
        return [Word(g, float(w) + 0.2) for g, w in zip(terms["genres"], weights, strict=True)]
    if kind == 4:
        return [Word(t, 8.0 if i == 0 else 1.5, at) for at, c in every for i, t in enumerate(c.languages)]
    if kind == 5:
        return [
            Word(f"{c.name}:{t}", c.share**0.3 / (1 + i), at) for at, c in every for i, t in enumerate(c.certificates)
        ]
    if kind == 8:
        return [Word(c.name, c.share**0.3, at) for at, c in every]
    if kind == 16:
        return [Word(c.name, c.share**0.3, at) for at, c in every]
    if kind == 18:
        return [Word(f"{p}, {c.name}", 1.0 / (1 + i), at) for at, c in every for i, p in enumerate(c.places)]
    return [Word(t, w, None, (a, b)) for t, w, a, b in terms["era"][str(kind)]]


def _release_dates(
    rng: np.random.Generator, titles: Titles, movie: Ints, codes: Ints, words: Sequence[str]
) -> tuple[Ints, list[str]]:
    """`USA:12 March 1999` for a country, and the workload's own dates as they are."""
    days, months, form = rng.integers(1, 29, len(movie)), rng.integers(0, 12, len(movie)), rng.random(len(movie))
    names = {c.name for c in countries()}
    made = []
    for i, (title, code) in enumerate(zip(movie, codes, strict=True)):
        word, year = words[code], titles.year[title]
        if word in names:
            month = f"{MONTHS[months[i]]} " if form[i] < 0.85 else ""
            day = f"{days[i]} " if form[i] < 0.7 else ""
            word = f"{word}:{day}{month}{year}"
        made.append(word)
    column = texts(made)
    return column.codes, list(column.words or ())


def _prose(rng: np.random.Generator, kind: int, n: int) -> list[str]:
    """n texts of an info type that is free text, or a sum of money."""
    if kind in (105, 106, 107, 108, 110):
        sums = (10 ** rng.uniform(2.5, 8.0, n)).astype(np.int64)
        at = choose(rng, np.array([c.share for c in countries()]), n)
        place = [countries()[i].name for i in at]
        days, years = rng.integers(1, 29, n), rng.integers(1975, 2016, n)
        if kind == 105:
            return [f"${round(s, -max(len(str(s)) - 2, 0)):,}" for s in sums.tolist()]
        if kind == 110:
            return [f"{s:,} ({p}) ({d} March {y})" for s, p, d, y in zip(sums, place, days, years, strict=True)]
        return [
            f"${s:,} ({p}) ({d} {MONTHS[d % 12]} {y}) ({s % 3000} screens)"
            for s, p, d, y in zip(sums, place, days, years, strict=True)
        ]
    if kind in (102, 104):
        years = rng.integers(1915, 2016, n)
        return [
            f"{d} {MONTHS[d % 12]} {y} - {MONTHS[(d + 2) % 12]} {y}"
            for d, y in zip(rng.integers(1, 29, n), years, strict=True)
        ]
    forms = [
        "The {N} in the {P} is a {A} {N2}.",
        "{A} {N}: the {N2} of the {P}",
        "Copyright {N} {P}, a {A} {N2} company",
    ]
    return invent(rng, forms, n)


def movie_info_idx_table(rng: np.random.Generator, titles: Titles) -> Table:
    """The table `movie_info_idx`: votes and ratings of the known; the most popular also have a rank."""
    rated = chance(rng, np.minimum(0.35 + 0.25 * titles.popularity, 0.97) * np.where(titles.kind == 5, 0.7, 1.0))
    n = len(rated)
    fame = titles.popularity[rated]
    votes = np.maximum(5, 60 * fame**1.7 * np.exp(rng.normal(0, 0.8, n))).astype(np.int64)
    # quality depends on genre and fame: documentaries are rated higher than horror
    liking = np.sin(np.arange(len(vocabulary()["genres"])) * 2.4)[titles.genre[rated]]
    rating = np.clip(6.3 + 0.9 * liking + 0.25 * np.log(fame + 0.1) + rng.normal(0, 1.0, n), 1, 9.9)
    spread = rng.integers(0, 4000, n)
    words = texts([*(f"{s:010d}" for s in spread), *map(str, votes.tolist()), *(f"{r:.1f}" for r in rating)])
    top = rated[np.argsort(-votes)[: max(min(250, n // 50), 1)]]
    ranks = texts([*words.words, *map(str, range(1, len(top) + 1))] if words.words is not None else [])
    movie = np.concatenate([rated, rated, rated, top])
    kind = np.repeat([99, 100, 101, 112], [n, n, n, len(top)])
    code = np.concatenate([words.codes, ranks.codes[len(words.words or ()) :]])
    order = np.lexsort((kind, movie))
    return numbered(
        {
            "movie_id": Column(movie[order] + 1),
            "info_type_id": Column(kind[order]),
            "info": Column(code[order], ranks.words),
            "note": null(len(order)),
        }
    )
