"""Generated data of the IMDB schema, the same for the same arguments.

factors of titles (popularity, country, year, kind, genre)  ->  facts, keywords, companies, links
factors of persons (popularity, country, era, profession)   ->  names, facts;  both  ->  casts
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from boltbo.domains.plans.imdb.facts import movie_info_idx_table, movie_info_table
from boltbo.domains.plans.imdb.harvest import Literals, harvest
from boltbo.domains.plans.imdb.links import company_tables, complete_cast_table, keyword_tables, movie_link_table
from boltbo.domains.plans.imdb.people import aka_name_table, cast_tables, make_people, name_table, person_info_table
from boltbo.domains.plans.imdb.table import Table, numbered, texts
from boltbo.domains.plans.imdb.titles import PER_SCALE, aka_title_table, make_titles, title_table
from boltbo.domains.plans.imdb.vocabulary import vocabulary

__all__ = ["VERSION", "Literals", "generate", "harvest"]

VERSION = 4
"""Version of what `generate` makes: raise it with every change of the data, for databases are found again by it."""

PARTS = 11


def generate(
    scale: float, seed: int, literals: Literals | None = None, progress: Callable[[int, int], None] | None = None
) -> dict[str, Table]:
    """The 21 tables.

    Args:
        scale: About 4.4 million rows at 1; the dictionaries do not grow.
        seed: Seed of all randomness.
        literals: A workload's constants, from `harvest`.
        progress: Called with (parts done, parts).

    Returns:
        table -> its columns.
    """
    if not 0 < scale <= 20:
        raise ValueError(f"the scale of generated data is over 0 and at most 20, not {scale}")
    said = literals or {}
    done = 0
    # every part has its own source of randomness: a change to one leaves the others as they were
    sources = iter(np.random.default_rng(seed).spawn(PARTS + 2))

    def rng() -> np.random.Generator:
        nonlocal done
        if progress is not None:
            progress(min(done, PARTS), PARTS)
        done += 1
        return next(sources)

    titles = make_titles(rng(), max(200, round(PER_SCALE * scale)))
    people = make_people(rng(), titles)
    tables: dict[str, Table] = dict(_dictionaries())
    tables["title"] = title_table(rng(), titles, said)
    tables["aka_title"] = aka_title_table(rng(), titles)
    tables["name"] = name_table(rng(), people, said)
    tables["aka_name"] = aka_name_table(rng(), people)
    tables["person_info"] = person_info_table(rng(), people)
    tables["movie_info"] = movie_info_table(rng(), titles, said)
    tables["movie_info_idx"] = movie_info_idx_table(rng(), titles)
    tables["keyword"], tables["movie_keyword"] = keyword_tables(rng(), titles, said)
    tables["company_name"], tables["movie_companies"] = company_tables(rng(), titles, said)
    links = rng()
    tables["movie_link"] = movie_link_table(links, titles)
    tables["complete_cast"] = complete_cast_table(links, titles)
    tables["char_name"], tables["cast_info"] = cast_tables(rng(), titles, people, said)
    return tables


def _dictionaries() -> dict[str, Table]:
    """The six small tables of fixed content."""
    column = {"info_type": "info", "role_type": "role", "link_type": "link"}
    return {
        table: numbered({column.get(table, "kind"): texts(words)})
        for table, words in vocabulary()["dictionaries"].items()
    }
