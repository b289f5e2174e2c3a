"""What titles are linked with: keywords, companies, one another; and the completeness of their casts."""

from __future__ import annotations

import numpy as np

from boltbo.domains.plans.imdb.harvest import Literals
from boltbo.domains.plans.imdb.random_draws import choose, choose_members, fan_out, heavy_tail, zipf
from boltbo.domains.plans.imdb.soundex import phonetic_code
from boltbo.domains.plans.imdb.table import Column, Table, null, numbered, texts
from boltbo.domains.plans.imdb.titles import Titles, invent
from boltbo.domains.plans.imdb.vocabulary import countries, country_positions, vocabulary


def keyword_tables(rng: np.random.Generator, titles: Titles, literals: Literals) -> tuple[Table, Table]:
    """The tables `keyword` and `movie_keyword`: keywords keep to a genre, the popular titles have many."""
    genres = {g: i for i, g in enumerate(vocabulary()["genres"])}
    first = [(w, genres.get(g, -1)) for g, ws in vocabulary()["keywords"].items() for w in ws]
    n_more = max(200, len(titles) // 5)
    said = sorted(literals.get("keyword.keyword", {}).items(), key=lambda item: -item[1])
    home_genres = dict(first) | {w: int(rng.integers(-6, len(genres))) for w, _ in said if w not in dict(first)}
    for word in invent(rng, ["{A}-{N}", "{N}-{P}", "{A}-{N}-{N2}", "reference-to-{N}-{P}"], n_more):
        home_genres.setdefault(word.lower(), int(rng.integers(-6, len(genres))))
    words = list(home_genres)
    home = np.maximum(np.array(list(home_genres.values())), -1)
    # ours and the workload's lead; among them the workload's counts say who is frequent
    lead = {w: 0.3 + count for w, count in said}
    weights = np.array([lead.get(w, 12.0 if w in dict(first) else 0.0) for w in words])
    rest = weights == 0
    weights[rest] = zipf(int(rest.sum()), 0.5) * weights.sum() / 3 / zipf(int(rest.sum()), 0.5).sum()
    movie = fan_out(rng, 2.0 * titles.popularity**1.05 * np.array([1.4, 1.0, 0.9, 0.9, 1.0, 0.8, 0.5])[titles.kind])
    code = choose_members(rng, weights, home, titles.genre[movie], 0.5)
    keep = np.unique(movie * len(words) + code)
    keywords = numbered({"keyword": texts(words), "phonetic_code": texts([phonetic_code(w) for w in words])})
    return keywords, numbered({"movie_id": Column(keep // len(words) + 1), "keyword_id": Column(keep % len(words) + 1)})


def movie_link_table(rng: np.random.Generator, titles: Titles) -> Table:
    """The table `movie_link`: between titles of the same country and time."""
    movie = fan_out(rng, 0.08 * titles.popularity)
    other = choose_members(rng, titles.popularity, titles.scene, titles.scene[movie], 0.7)
    kind = choose(rng, zipf(len(vocabulary()["dictionaries"]["link_type"]), 0.6), len(movie))
    return numbered(
        {"movie_id": Column(movie + 1), "linked_movie_id": Column(other + 1), "link_type_id": Column(kind + 1)}
    )


def complete_cast_table(rng: np.random.Generator, titles: Titles) -> Table:
    """The table `complete_cast`: of the popular ones, whether cast and crew are complete."""
    movie = fan_out(rng, np.minimum(0.2 * titles.popularity**0.7, 2.0))
    n = len(movie)
    return numbered(
        {
            "movie_id": Column(movie + 1),
            "subject_id": Column(rng.integers(1, 3, n)),
            "status_id": Column(3 + (rng.random(n) < 0.4 * np.minimum(titles.popularity[movie], 2.0)).astype(np.int64)),
        }
    )


def company_tables(rng: np.random.Generator, titles: Titles, literals: Literals) -> tuple[Table, Table]:
    """The tables `company_name` and `movie_companies`: companies keep to their country."""
    nations = countries()
    big = [(code, name, kind, float(weight)) for code, name, kind, weight in vocabulary()["companies"]["big"]]
    names = [name for _, name, _, _ in big]
    country = country_positions()
    homes = [country[f"[{code}]"] for code, _, _, _ in big]
    said = [w for w in literals.get("company_name.name", {}) if w not in names]
    small = max(80, len(titles) // 5)
    lasts = sorted({last for culture in vocabulary()["people"].values() for last in culture["last"]})
    names += said + invent(rng, vocabulary()["companies"]["forms"], small, L=lasts, L2=lasts)
    shares = np.array([c.share for c in nations])
    home = np.array([*homes, *choose(rng, shares, len(said)), *choose(rng, shares**0.85, small)])
    kind = np.array([k for _, _, k, _ in big] + [2] * len(said) + list(rng.integers(0, 3, small)))
    weights = np.concatenate(
        [np.array([w for *_, w in big]), np.full(len(said), 12.0), heavy_tail(rng, small, 1.1, 60.0)]
    )
    weights[len(big) + len(said) :] *= 1.5 * weights[: len(big)].sum() / small
    codes = [f"[{nations[i].code}]" for i in home]
    spare = [c for c in literals.get("company_name.country_code", {}) if c not in set(codes)]
    for i, code in zip(rng.permutation(np.arange(len(names) - small, len(names))), spare * 3, strict=False):
        codes[i] = code
    movie = fan_out(rng, 1.5 * titles.popularity**0.75)
    company = choose_members(rng, weights, home, titles.country[movie], 0.85)
    role = np.where(kind[company] == 2, rng.integers(0, 2, len(movie)), kind[company])
    role = np.where(rng.random(len(movie)) < 0.05, rng.integers(2, 4, len(movie)), role)
    forms = ("(VHS)", "(DVD)", "(TV)", "(theatrical)", "(worldwide)", "(all media)")
    notes = [
        f"({titles.year[m]}) ({nations[home[c]].name}) {forms[i % 6]}" if noted else None
        for i, (m, c, noted) in enumerate(zip(movie, company, rng.random(len(movie)) < 0.45, strict=True))
    ]
    company_name = numbered(
        {
            "name": texts(names),
            "country_code": texts(codes),
            "imdb_id": null(len(names)),
            "name_pcode_nf": texts([phonetic_code(n) for n in names]),
            "name_pcode_sf": texts([phonetic_code(n) for n in names]),
            "md5sum": null(len(names)),
        }
    )
    return company_name, numbered(
        {
            "movie_id": Column(movie + 1),
            "company_id": Column(company + 1),
            "company_type_id": Column(role + 1),
            "note": texts(notes),
        }
    )
